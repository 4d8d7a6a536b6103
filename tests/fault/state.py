"""What GitLab, Vault and the clusters hold, without what differs between two runs of the same: ids, times, keys, versions."""

from __future__ import annotations

import re
from typing import Any

from nautes_sandbox.actions import Actions, quoted
from tests.fault.plan import normal
from tests.integration import secrets

NOISE = {"managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "selfLink"}
KINDS = (
    "namespaces,serviceaccounts,configmaps,services,deployments.apps,roles.rbac.authorization.k8s.io,"
    "rolebindings.rbac.authorization.k8s.io,clusterroles.rbac.authorization.k8s.io,"
    "clusterrolebindings.rbac.authorization.k8s.io,customresourcedefinitions.apiextensions.k8s.io"
)
RUNS = "pipelineruns.tekton.dev"
REPOSITORY = re.compile(r"repo-\d+")
IDS = re.compile(r"(product|repo)-\d+|/gitlab/\d+$")


State = dict[str, object]
States = tuple[State, State]  # with a product that runs, and after all was removed


def of(actions: Actions) -> State:
    """All three systems."""
    clusters = {name: _cluster(actions, name) for name in ("deploy", "pipeline")}
    return {"gitlab": _gitlab(actions), "vault": _vault(actions), **clusters}


def gitlab_and_vault(actions: Actions) -> State:
    """Two of the three."""
    return {"gitlab": _gitlab(actions), "vault": _vault(actions)}


def _gitlab(actions: Actions) -> dict[str, object]:
    found: dict[str, object] = {
        # A group that GitLab has renamed and will delete in some days is gone for everybody.
        "groups": sorted(
            each["full_path"]
            for each in actions.gitlab("/groups?per_page=100&all_available=true")
            if "-deletion_scheduled-" not in each["full_path"]
        )
    }
    projects = actions.gitlab("/projects?per_page=100")
    # Repositories are made side by side, so GitLab gives them their ids in an order that chance decides: they go by their names.
    names = {f"repo-{each['id']}": f"repo-{each['path']}" for each in projects}
    for project in projects:
        path = project["path_with_namespace"]
        base = f"/projects/{quoted(path)}"
        commits = actions.gitlab(f"{base}/repository/commits?per_page=100") if not project["empty_repo"] else []
        if path.startswith("nautes/"):  # its log grows with every run: its state is its files
            commits = []
        statuses = [
            [
                (each["name"], each["status"])
                for each in actions.gitlab(f"{base}/repository/commits/{commit['id']}/statuses")
            ]
            for commit in commits
        ]
        tree = actions.gitlab(f"{base}/repository/tree?recursive=true&per_page=100") if commits else []
        found[path] = {
            "visibility": project["visibility"],
            "files": sorted((_named(each["path"], names), each["type"]) for each in tree),
            "commits": [each["title"] for each in commits],
            "statuses": [sorted(each) for each in statuses],
            "hooks": sorted(_ids(each["url"]) for each in actions.gitlab(f"{base}/hooks")),
            "keys": sorted(
                (_named(each["title"], names), each["can_push"]) for each in actions.gitlab(f"{base}/deploy_keys")
            ),
        }
    return found


def _named(text: str, names: dict[str, str]) -> str:
    return REPOSITORY.sub(lambda found: names.get(found[0], found[0]), text)


def _vault(actions: Actions) -> dict[str, object]:
    client = secrets.vault(actions)
    policies = client.request("LIST", "/v1/sys/policies/acl").json()["data"]["keys"]
    mounts = [
        each for each, value in client.get("/v1/sys/auth").json()["data"].items() if value["type"] == "kubernetes"
    ]
    roles = {each: client.request("LIST", f"/v1/auth/{each}role") for each in mounts}
    return {
        "secrets": sorted((_ids(path), sorted(values)) for path, values in secrets.in_vault(actions).items()),
        "policies": sorted(_ids(each) for each in policies),
        "roles": {
            each: sorted(_ids(name) for name in answer.json()["data"]["keys"]) if answer.status_code == 200 else []
            for each, answer in roles.items()
        },
    }


def _cluster(actions: Actions, name: str) -> list[Any]:
    kinds = KINDS
    definitions = actions.kubectl(name, "get", "customresourcedefinitions.apiextensions.k8s.io")["items"]
    if any(each["metadata"]["name"] == RUNS for each in definitions):
        kinds += f",{RUNS}"
    items = actions.kubectl(name, "get", kinds, "--all-namespaces")["items"]
    return sorted((_plain(each) for each in items), key=str)


def _plain(item: dict[str, Any]) -> Any:
    meta = {key: value for key, value in item["metadata"].items() if key not in NOISE}
    kept = {key: value for key, value in item.items() if key not in ("status", "metadata")}
    kept.pop("secrets", None)  # of an account: names given by chance
    if item["kind"] == "Service":
        kept["spec"] = {key: value for key, value in kept["spec"].items() if not key.startswith("clusterIP")}
    if item["metadata"]["name"] == "kube-root-ca.crt":
        kept.pop("data", None)
    return _without_ids({**kept, "metadata": meta})


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {_ids(str(key)): _without_ids(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_ids(each) for each in value]
    return _ids(value) if isinstance(value, str) else value


def _ids(text: str) -> str:
    return normal(IDS.sub(lambda found: found.group(1) + "-0" if found.group(1) else "/gitlab/0", text))
