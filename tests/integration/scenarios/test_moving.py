"""A runtime whose namespaces or account change: what stays keeps its objects, what goes is planned, counted and confirmed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import document, together
from tests.integration.scenarios.support import (
    change,
    done,
    environment,
    findings,
    made,
    repository,
)
from tests.waiting import until

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def _config(name: str, namespace: str = "", value: str = "1") -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": value}}


def _runtime(of: str, *namespaces: str, **spec: Any) -> str:
    source = {"codeRepo": "deploy", "targetRevision": "main", "path": "production"}
    place = {"environment": "test", "namespaces": list(namespaces)}
    return document("DeploymentRuntime", name="web", product=of, manifestSource=source, destination=place, **spec)


def _push(story: Scenario, of: str, *objects: dict[str, Any]) -> str:
    tree = story.clone(f"{of}/deploy")
    folder = tree / "production"
    folder.mkdir(exist_ok=True)
    (folder / "all.yaml").write_text(yaml.safe_dump_all(objects))
    return story.push(tree, "change")


def _status(story: Scenario, of: str) -> dict[str, Any]:
    found = story.api("GET", f"/api/v1/products/{of}/deploymentruntimes/web/status", "team")
    return dict(found.json()) if found.status_code == 200 else {}


def _converged(story: Scenario, of: str, commit: str) -> dict[str, Any]:
    def there() -> dict[str, Any] | None:
        found = _status(story, of)
        right = found.get("phase") in ("Converged", "Waiting") and found.get("commit") == commit
        return found if right else None

    return until(there, f"{of} has {commit[:12]}")


def _uids(story: Scenario, namespace: str) -> dict[str, str]:
    """Uids of what the runtime has applied in a namespace, by "<Kind>/<name>"; nothing while there is no such namespace."""
    listed = story.kubectl(
        story.deploy_cluster,
        "get",
        "configmaps,persistentvolumeclaims",
        "-n",
        namespace,
        "-l",
        "applyset.kubernetes.io/part-of",
    )
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"] for each in listed["items"]}


def _namespaces(story: Scenario, of: str) -> set[str]:
    listed = story.kubectl(story.deploy_cluster, "get", "namespaces")["items"]
    return {each["metadata"]["name"] for each in listed if each["metadata"]["name"].startswith(of)}


def _accounts(story: Scenario, namespace: str) -> set[str]:
    listed = story.kubectl(story.deploy_cluster, "get", "serviceaccounts", "-n", namespace)["items"]
    return {each["metadata"]["name"].split("-", 2)[-1] for each in listed if each["metadata"]["name"] != "default"}


def _planned(story: Scenario, *documents: str) -> dict[str, Any]:
    answer = story.api(
        "POST", "/api/v1/apply", "team", content=together(*documents), params={"dry_run": "true", "wait": 60}
    )
    assert answer.status_code == 200, answer.text
    [operation] = answer.json()["operations"]
    return dict(operation)


def _lines(operation: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["action"], each["target"]) for each in operation["effects"] if each["system"] == "kubernetes"}


def _shop(story: Scenario, word: str, *, protected: bool = False) -> tuple[str, str, str]:
    """A product with one runtime in one namespace, which has a volume claim and a ConfigMap; its name, namespace and commit."""
    of = made(story, word, repository("deploy"), environment("test", story.deploy_cluster, protected=protected))
    commit = _push(story, of, CLAIM, _config("settings"))
    done(change(story, "team", _runtime(of, f"{of}-a")))
    _converged(story, of, commit)
    return of, f"{of}-a", commit


def test_a_namespace_is_added_and_taken_away_again_and_everything_else_stays(story: Scenario) -> None:
    of, first, commit = _shop(story, "added")
    second, cluster, before = f"{of}-b", story.deploy_cluster, _uids(story, first)
    wider = _runtime(of, first, second)
    lines = _lines(_planned(story, wider))
    assert ("keep", f"2 objects of deployment web in {cluster}") in lines
    assert ("create", f"Namespace {second} in {cluster}") in lines
    assert not any(action in ("delete", "replace") for action, _ in lines)

    done(change(story, "team", wider))
    until(lambda: second in _namespaces(story, of), "the namespace is there")
    commit = _push(story, of, CLAIM, _config("settings"), _config("cache", second))
    _converged(story, of, commit)
    assert _uids(story, first) == before
    assert set(_uids(story, second)) == {"ConfigMap/cache"}

    narrower = _runtime(of, first)
    planned = _planned(story, narrower)
    assert ("delete", f"Namespace {second} in {cluster}") in _lines(planned)
    assert ("replace", f"1 objects of deployment web in {cluster}") in _lines(planned)
    commit = _push(story, of, CLAIM, _config("settings"))
    _converged(story, of, commit)
    assert not _uids(story, second)
    done(change(story, "team", narrower))
    until(lambda: second not in _namespaces(story, of), "the namespace is gone")
    assert _uids(story, first) == before, "the same objects, nobody made them anew"
    users = story.api("GET", f"/api/v1/clusters/{cluster}/users", "platform").json()["users"]
    claims = {each["name"]: each["namespaces"] for each in users}
    assert claims[f"deployment/{of}/web"] == [first], "the cluster has given the other one back"


def test_another_account_takes_over_and_the_objects_stay(story: Scenario) -> None:
    of, first, commit = _shop(story, "account")
    before, cluster = _uids(story, first), story.deploy_cluster
    assert _accounts(story, first) == {"web"}
    other = _runtime(of, first, account="second")
    lines = _lines(_planned(story, other))
    assert {
        ("create", f"ServiceAccount {first}/second in {cluster}"),
        ("delete", f"ServiceAccount {first}/web in {cluster}"),
    } <= lines
    assert ("keep", f"2 objects of deployment web in {cluster}") in lines
    done(change(story, "team", other))
    until(lambda: _accounts(story, first) == {"second"}, "only the new account is there")
    commit = _push(story, of, CLAIM, _config("settings", value="2"))
    _converged(story, of, commit)
    assert _uids(story, first) == before
    settings = story.kubectl(cluster, "get", "configmap", "settings", "-n", first)
    assert settings["data"] == {"k": "2"}, "the new account may write"


def test_a_volume_claim_that_would_go_with_a_namespace_has_to_be_confirmed(story: Scenario) -> None:
    of, first, commit = _shop(story, "claimed")
    second, before = f"{of}-b", _uids(story, first)
    moved = _runtime(of, second)
    planned = _planned(story, moved)
    assert ("replace", f"2 objects of deployment web in {story.deploy_cluster}") in _lines(planned)
    assert planned["deletions"] == 1
    refused = change(story, "team", moved)
    assert findings(refused) == {"deletions-unconfirmed"}
    assert f"{first}/data" in refused.text
    assert _uids(story, first) == before, "nothing is deleted before it is confirmed"

    done(change(story, "team", moved, confirm_deletions=1))
    until(lambda: _namespaces(story, of) == {second}, "the runtime has moved")
    _converged(story, of, commit)
    after = _uids(story, second)
    assert after.keys() == before.keys() and not set(after.values()) & set(before.values())


def test_a_volume_claim_of_no_manifest_that_would_go_with_a_namespace_has_to_be_confirmed(
    story: Scenario, tmp_path: Path
) -> None:
    of = made(story, "stateful", repository("deploy"), environment("test", story.deploy_cluster))
    commit = _push(story, of, _config("settings"))
    done(change(story, "team", _runtime(of, f"{of}-a", f"{of}-b")))
    _converged(story, of, commit)
    file = tmp_path / "claim.json"
    claim = {**CLAIM, "metadata": {"name": "data-db-0", "namespace": f"{of}-b"}}  # as a StatefulSet makes it
    file.write_text(json.dumps(claim))
    story.kubectl(story.deploy_cluster, "create", "-f", str(file))
    left = _runtime(of, f"{of}-a")
    assert _planned(story, left)["deletions"] == 1
    refused = change(story, "team", left)
    assert findings(refused) == {"deletions-unconfirmed"} and f"{of}-b/data-db-0" in refused.text
    done(change(story, "team", left, confirm_deletions=1))
    until(lambda: _namespaces(story, of) == {f"{of}-a"}, "the namespace is given back")


def test_what_a_protected_environment_would_lose_by_a_move_has_to_be_confirmed(story: Scenario) -> None:
    of = made(story, "protected", repository("deploy"), environment("test", story.deploy_cluster, protected=True))
    commit = _push(story, of, _config("settings"))
    done(change(story, "team", _runtime(of, f"{of}-a")))
    _converged(story, of, commit)
    moved = _runtime(of, f"{of}-b")
    refused = change(story, "team", moved)
    assert findings(refused) == {"deletions-unconfirmed"} and "protected" in refused.text
    done(change(story, "team", moved, confirm_deletions=2))  # the object, and the namespace
    until(lambda: _namespaces(story, of) == {f"{of}-b"}, "the runtime has moved")
