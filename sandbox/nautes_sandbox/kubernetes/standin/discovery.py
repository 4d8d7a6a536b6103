"""Discovery: groups, versions, resources and their verbs."""

from __future__ import annotations

from typing import Any

from nautes_sandbox.kubernetes.standin.kinds import VERBS, Kind, Kinds

Object = dict[str, Any]
VERSION = {
    "major": "1",
    "minor": "33",
    "gitVersion": "v1.33.0+sandbox-stand-in",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "sandbox/stand-in",
}
# Reviews are answered and kept nowhere: (group, kind, plural, namespaced).
REVIEWS = (
    ("authentication.k8s.io", "TokenReview", "tokenreviews", False),
    ("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews", False),
    ("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False),
    ("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews", False),
    ("authorization.k8s.io", "LocalSubjectAccessReview", "localsubjectaccessreviews", True),
)


def document(kinds: Kinds, parts: list[str]) -> Object | None:
    """Answer to /api, /api/v1, /apis, /apis/<group> and /apis/<group>/<version>; None for what is not served."""
    match parts:
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            groups = [_group(name, found) for name, found in kinds.versions().items() if name]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["apis", name] if name and name in kinds.versions():
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, kinds.versions()[name])}
        case ["api", "v1"]:
            return _resources(kinds, "", "v1")
        case ["apis", name, version] if name and version in kinds.versions().get(name, ()):
            return _resources(kinds, name, version)
    return None


def _group(name: str, versions: list[str]) -> Object:
    served = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    return {"name": name, "versions": served, "preferredVersion": served[0]}


def _resources(kinds: Kinds, group: str, version: str) -> Object:
    found = [
        entry for kind in kinds if kind.group == group and version in kind.versions for entry in _of(kind, version)
    ]
    found += [
        {"name": plural, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["create"]}
        for of, kind, plural, namespaced in REVIEWS
        if of == group
    ]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found}


def _of(kind: Kind, version: str) -> list[Object]:
    entry: Object = {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(VERBS),
    }
    entry |= {"shortNames": list(kind.short)} if kind.short else {}
    entry |= {"categories": list(kind.categories)} if kind.categories else {}
    found = [entry]
    below: Object = {"singularName": "", "namespaced": kind.namespaced}
    if kind.has_status(version):
        verbs = ["get", "patch", "update"]
        found.append({**below, "name": f"{kind.plural}/status", "kind": kind.kind, "verbs": verbs})
    if kind.resource == "/namespaces":
        found.append({**below, "name": "namespaces/finalize", "kind": "Namespace", "verbs": ["update"]})
    if kind.resource == "/serviceaccounts":
        token = {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest", "verbs": ["create"]}
        found.append({**below, "name": "serviceaccounts/token", **token})
    return found
