"""What the systems' own logs say was done, in the words of a plan. Read by test_plan_is_what_happens.py.

GitLab's request log (a commit stands there with the files it touched, also when its repository is gone later), OpenBao's audit
log and the API servers' audit logs are replayed from the beginning of the world: whether a write created or changed something
follows from whether it was there. A write that has no word here stands in the comparison as it is, and fails it.

Left out, because no plan speaks of it: what a deployment applies for the first time and the Secret that is the parent of its
inventory (they belong to the runtime's own convergence), tokens and reviews (they change nothing), and commit statuses.
Objects of deployments are counted per runtime: kept, replaced (deleted although the runtime stays), deleted with it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Entry = Mapping[str, Any]
KINDS = {"namespaces": "Namespace", "serviceaccounts": "ServiceAccount", "rolebindings": "RoleBinding"}
SECRETS = {
    "readonly": "deploy key readonly",
    "readwrite": "deploy key readwrite",
    "accesstoken-api": "access token",
    "webhook": "webhook",
}
FILE_ACTIONS = {"create": "create", "update": "change", "delete": "delete"}
OWN = re.compile(r"product-\d+-(.+)")  # accounts, bindings and roles carry the product's id
NO_EFFECT = ("selfsubjectaccessreviews", "tokenreviews", "subjectaccessreviews")
LOGINS = re.compile(r"auth/(approle|[^/]+)/login|auth/token/.*")
REGISTRATION = re.compile(
    r"cluster/.*|sys/(mounts|auth)/.*|sys/policies/acl/kubernetes-.*|auth/[^/]+/(config|role/nautes-.*)"
)


@dataclass(frozen=True, order=True)
class Line:
    """One effect: a system, what is done there, to what."""

    system: str
    action: str
    target: str

    def __str__(self) -> str:
        return f"{self.system} {self.action} {self.target}"


@dataclass(frozen=True)
class Owned:
    """An object that a deployment applied; its name begins with that of its runtime."""

    cluster: str
    namespace: str
    resource: str
    name: str

    @property
    def runtime(self) -> str:
        """The runtime it belongs to."""
        return self.name.partition("-")[0]


@dataclass
class Log:
    """A file of one JSON document per line that still grows."""

    path: Path
    read: int = 0

    def news(self) -> Iterator[Entry]:
        """Whole lines that were not read before."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.read)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self.read += len(line)
                yield json.loads(line)


@dataclass
class Since:
    """What was written since a moment."""

    lines: Counter[Line] = field(default_factory=Counter)
    before: frozenset[Owned] = frozenset()
    lost: set[Owned] = field(default_factory=set)
    written: set[Owned] = field(default_factory=set)


class Logs:
    """All logs of a world; `since` is what was done since the last `begin`."""

    def __init__(self, directory: Path) -> None:
        self._gitlab = Log(directory / "gitlab" / "requests.log")
        self._vault = Log(directory / "openbao" / "audit.log")
        found = sorted(directory.glob("kubernetes/*/audit.log"))
        self._clusters = {each.parent.name: Log(each) for each in found}
        self._paths: dict[tuple[str, int], str] = {}  # ("groups" or "projects", id) -> path
        self._parts: dict[tuple[str, int, str], str] = {}  # (collection, project, id) -> name in a plan
        self._there: set[tuple[str, str]] = set()  # (system, target)
        self._owned: set[Owned] = set()
        self._since = Since()

    def begin(self) -> None:
        """Whatever is in the logs by now was before."""
        self._replay()
        self._since = Since(before=frozenset(self._owned))

    def since(self) -> Counter[Line]:
        """What was done since `begin`, object by object; the objects of deployments counted."""
        self._replay()
        return self._since.lines + Counter(self._objects())

    def _replay(self) -> None:
        for entry in self._gitlab.news():  # first: the others speak of its ids
            if entry["method"] not in ("GET", "HEAD") and entry["status"] < 400:
                self._in_gitlab(entry)
        for entry in self._vault.news():
            if entry["type"] == "response" and not entry.get("error") and "remote_address" in entry["request"]:
                self._in_vault(entry["request"])
        for cluster, log in self._clusters.items():
            for entry in log.news():
                code = entry.get("responseStatus", {}).get("code", 200)
                if entry["userAgent"] == "nautes" and entry["verb"] not in ("get", "list", "watch") and code < 400:
                    self._in_kubernetes(cluster, entry)

    # One write

    def _put(self, system: str, target: str) -> None:
        """Created, changed where it was there, replaced where the same change deleted it.

        What is made and then completed by the same change is created once.
        """
        lines, known = self._since.lines, (system, target) in self._there
        if known and lines[Line(system, "create", target)]:
            return
        self._there.add((system, target))
        gone = Line(system, "delete", target)
        replaced = not known and lines[gone] > 0
        lines[gone] -= replaced
        lines[Line(system, "change" if known else "replace" if replaced else "create", target)] += 1

    def _delete(self, system: str, target: str) -> None:
        if (system, target) in self._there:
            self._there.remove((system, target))
            self._since.lines[Line(system, "delete", target)] += 1

    def _forget(self, system: str, ending: str) -> None:
        """What goes with something else, and is therefore no effect of its own."""
        self._there = {each for each in self._there if each[0] != system or not each[1].endswith(ending)}

    # GitLab and Git

    def _in_gitlab(self, entry: Entry) -> None:
        parts = [unquote(each) for each in entry["path"].removeprefix("/api/v4/").split("/")]
        answer, collection = entry.get("answer", {}), parts[0]
        if collection not in ("groups", "projects"):
            return  # users and their tokens: people
        what, key = ("group", "full_path") if collection == "groups" else ("repository", "path_with_namespace")
        if len(parts) == 1:
            self._paths[collection, int(answer["id"])] = answer[key]
            self._put("gitlab", f"{what} {answer[key]}")
            return
        path = self._path(collection, parts[1])
        if len(parts) == 2:
            target = f"{what} {path}"
            if entry["method"] != "DELETE":
                self._put("gitlab", target)
                return
            self._delete("gitlab", target)
            for ending in (f" of {path}", f" on {path}", f" of group {path}"):
                self._forget("gitlab", ending)
        elif parts[2] == "members":
            self._put("gitlab", f"member {answer['username']} of {'group ' if what == 'group' else ''}{path}")
        elif parts[2:] == ["repository", "commits"]:
            self._in_git(entry["files"])
        elif parts[2] in ("deploy_keys", "access_tokens", "hooks"):
            self._part(entry["method"], int(parts[1]), parts[2], parts[3] if len(parts) > 3 else "", answer)
        elif parts[2] != "statuses" and parts[-1] != "comments":
            self._put("gitlab", f"{entry['method']} {entry['path']}")

    def _path(self, collection: str, part: str) -> str:
        return self._paths.get((collection, int(part)), part) if part.isdecimal() else part

    def _part(self, method: str, project: int, collection: str, number: str, answer: Entry) -> None:
        """A deploy key, access token or webhook of a repository."""
        if not number:
            number = str(answer["id"])
            self._parts[collection, project, number] = self._named(collection, project, str(answer.get("title", "")))
        target = self._parts.get((collection, project, number), f"{collection} {number} of {project}")
        if method == "DELETE":
            self._delete("gitlab", target)
        else:
            self._put("gitlab", target)

    def _named(self, collection: str, project: int, title: str) -> str:
        path = self._path("projects", str(project))
        if collection != "deploy_keys":
            return f"{'access token' if collection == 'access_tokens' else 'webhook'} of {path}"
        _, number, permission = title.split("-")
        owner = self._path("projects", number)
        return f"deploy key {permission} of {owner}" + (f" on {path}" if owner != path else "")

    def _in_git(self, files: list[str]) -> None:
        """A commit to a declaration: each file is a resource."""
        for each in files:
            action, _, path = each.partition(" ")
            if key := self._resource(path):
                self._since.lines[Line("git", FILE_ACTIONS[action], key)] += 1

    def _resource(self, path: str) -> str:
        """The resource that a file declares, "" for the list of files and for clusters."""
        folder, _, rest = path.removesuffix(".yaml").partition("/")
        above, _, name = rest.rpartition("/")
        if folder == "code-repos":
            return f"CodeRepo/{self._repository(above)}" if above == name else f"CodeRepoBinding/{name}"
        if folder == "projects":
            return f"{'Project' if above == name else 'ProjectPipelineRuntime'}/{name}"
        kinds = {"envs": "Environment", "runtimes": "DeploymentRuntime"}
        return f"{kinds[folder]}/{name}" if folder in kinds else ""

    def _repository(self, stored: str) -> str:
        return self._path("projects", stored.removeprefix("repo-")).rpartition("/")[2]

    # Vault

    def _in_vault(self, request: Entry) -> None:
        path, operation = str(request["path"]), request["operation"]
        if operation not in ("create", "update", "delete") or LOGINS.fullmatch(path) or REGISTRATION.fullmatch(path):
            return
        target = self._vault_target(path)
        if operation == "delete":
            self._delete("vault", target)
        else:
            self._put("vault", target)

    def _vault_target(self, path: str) -> str:
        if found := re.fullmatch(r"git/(?:data|metadata)/gitlab/repo-(\d+)/default/(.+)", path):
            return f"secret {SECRETS[found[2]]} of {self._path('projects', found[1])}"
        if found := re.fullmatch(r"sys/policies/acl/gitlab-repo-(\d+)-default-(.+)", path):
            return f"policy {SECRETS[found[2]]} of {self._path('projects', found[1])}"
        if found := re.fullmatch(r"auth/([^/]+)/role/product-\d+-(.+)", path):
            return f"role {found[2]} of {found[1]}"
        return path

    # Kubernetes

    def _in_kubernetes(self, cluster: str, entry: Entry) -> None:
        uri = urlsplit(entry["requestURI"])
        parts = [unquote(each) for each in uri.path.strip("/").split("/")]
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        if "dryRun" in parse_qs(uri.query) or rest[-1] in ("token", *NO_EFFECT):
            return
        namespace, resource, name = "", rest[0], rest[1] if len(rest) > 1 else ""
        if rest[0] == "namespaces" and len(rest) > 3:
            namespace, resource, name = rest[1:4]
        removes = entry["verb"] == "delete"
        if resource == "secrets" and name.startswith("applyset-"):
            return
        own = OWN.fullmatch(name)
        if resource == "namespaces" or (namespace and own and resource in KINDS):
            label = name if resource == "namespaces" else f"{namespace}/{own[1] if own else name}"
            self._prepared(f"{KINDS[resource]} {label} in {cluster}", cluster, name, removes=removes)
        elif namespace and "-" in name:
            self._applied(Owned(cluster, namespace, resource, name), removes=removes)
        else:
            self._put("kubernetes", f"{entry['verb']} {uri.path} in {cluster}")

    def _prepared(self, target: str, cluster: str, name: str, *, removes: bool) -> None:
        """A namespace, account or binding of a runtime. A namespace takes with it what is in it."""
        if not removes:
            self._put("kubernetes", target)
            return
        self._delete("kubernetes", target)
        if target.startswith("Namespace "):
            inside = re.compile(rf"\w+ {re.escape(name)}/\S+ in {re.escape(cluster)}")
            self._there = {each for each in self._there if each[0] != "kubernetes" or not inside.fullmatch(each[1])}
            for each in [each for each in self._owned if (each.cluster, each.namespace) == (cluster, name)]:
                self._applied(each, removes=True)

    def _applied(self, one: Owned, *, removes: bool) -> None:
        if not removes:
            self._owned.add(one)
            self._since.written.add(one)
        elif one in self._owned:
            self._owned.remove(one)
            self._since.lost.add(one)

    def _objects(self) -> Iterator[Line]:
        """What became of the objects of every deployment whose place was changed, or that lost some."""
        since, gone = self._since, set(self._roles("delete"))
        for one in since.before & since.written - since.lost:
            yield Line("kubernetes", "change", f"{one.resource} {one.namespace}/{one.name} in {one.cluster}")
        lost = {(each.runtime, each.cluster) for each in since.lost & since.before}
        for runtime, cluster in sorted(gone | set(self._roles()) | set(self._bindings()) | lost):
            mine = {each for each in since.before if (each.runtime, each.cluster) == (runtime, cluster)}
            counts = {
                "delete" if (runtime, cluster) in gone else "replace": len(mine & since.lost),
                "keep": len(mine - since.lost),
            }
            for action, count in counts.items():
                if count:
                    yield Line("kubernetes", action, f"{count} objects of deployment {runtime} in {cluster}")

    def _roles(self, action: str = "") -> Iterator[tuple[str, str]]:
        """(runtime, cluster) of the Vault roles that were written."""
        for line in +self._since.lines:
            found = re.fullmatch(r"role (\S+) of (\S+)", line.target)
            if found and action in ("", line.action):
                yield found[1], found[2]

    def _bindings(self) -> Iterator[tuple[str, str]]:
        """(runtime, cluster) of the bindings that were written."""
        for line in +self._since.lines:
            if found := re.fullmatch(r"RoleBinding \S+/(\S+) in (\S+)", line.target):
                yield found[1], found[2]
