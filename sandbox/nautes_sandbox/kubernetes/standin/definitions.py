"""CustomResourceDefinitions: validation, conditions, and the kinds they define. Used by writing.py."""

from __future__ import annotations

from typing import Any

from nautes_sandbox.kubernetes.standin.kinds import Kind, Kinds
from nautes_sandbox.kubernetes.standin.managers import now
from nautes_sandbox.kubernetes.standin.problems import Cause, not_implemented, required, wrong

Object = dict[str, Any]
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


def complete(item: Object) -> None:
    """Defaults of a definition, in place."""
    spec = item.get("spec") or {}
    names = spec.get("names") or {}
    if names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})


def check(item: Object) -> list[Cause]:
    """What is wrong with a definition. Raises a 501 for what the stand-in cannot do."""
    spec = item.get("spec") or {}
    names, versions = spec.get("names") or {}, spec.get("versions") or []
    found = [required(f"spec.{name}") for name in ("group", "scope", "versions") if not spec.get(name)]
    found += [required(f"spec.names.{name}") for name in ("kind", "plural") if not names.get(name)]
    if found:
        return found
    wanted = f"{names['plural']}.{spec['group']}"
    if item["metadata"]["name"] != wanted:
        found.append(
            wrong("metadata.name", f'"{item["metadata"]["name"]}"', 'must be spec.names.plural+"."+spec.group')
        )
    if sum(bool(each.get("storage")) for each in versions) != 1:
        found.append(wrong("spec.versions", "[]", "must have exactly one version marked as storage version"))
    for at, each in enumerate(versions):
        if not (each.get("schema") or {}).get("openAPIV3Schema"):
            found.append(required(f"spec.versions[{at}].schema.openAPIV3Schema", "schemas are required"))
        if "scale" in (each.get("subresources") or {}):
            raise not_implemented("the subresource scale of custom kinds")
    if spec["conversion"].get("strategy") != "None":
        raise not_implemented("conversion webhooks of custom kinds")
    return found


def accepted(item: Object, kinds: Kinds) -> Object:
    """The status of a definition, its conditions as they are from its first moment on."""
    spec, status = item["spec"], item.get("status") or {}
    taken = any(
        each.kind == spec["names"]["kind"] and each.group == spec["group"] and each.plural != spec["names"]["plural"]
        for each in kinds
    )
    old = {each["type"]: each for each in status.get("conditions") or []}
    conditions = [
        _condition(old, "NamesAccepted", not taken, "KindConflict" if taken else "NoConflicts"),
        _condition(old, "Established", not taken, "NotAccepted" if taken else "InitialNamesAccepted"),
    ]
    stored = next(each["name"] for each in spec["versions"] if each["storage"])
    versions = [*(status.get("storedVersions") or [])]
    return {
        "conditions": conditions,
        "acceptedNames": {} if taken else spec["names"],
        "storedVersions": versions if stored in versions else [*versions, stored],
    }


def _condition(old: dict[str, Object], name: str, value: bool, reason: str) -> Object:
    made = {"type": name, "status": "True" if value else "False", "reason": reason}
    before = old.get(name)
    if before and before["status"] == made["status"]:
        return before
    return {**made, "lastTransitionTime": now(), "message": "the names are taken" if not value else "ok"}


def kind_of(item: Object) -> Kind | None:
    """The kind a stored definition makes; None while it is not established."""
    spec, conditions = item["spec"], (item.get("status") or {}).get("conditions") or []
    if not any(each["type"] == "Established" and each["status"] == "True" for each in conditions):
        return None
    served = [each for each in spec["versions"] if each.get("served")]
    served.sort(key=lambda each: not each.get("storage"))
    names = spec["names"]
    return Kind(
        spec["group"],
        names["kind"],
        names["plural"],
        namespaced=spec["scope"] == "Namespaced",
        versions=tuple(each["name"] for each in served),
        short=tuple(names.get("shortNames") or ()),
        generation=True,
        categories=tuple(names.get("categories") or ()),
        schemas={each["name"]: each["schema"]["openAPIV3Schema"] for each in served},
        status_versions=frozenset(each["name"] for each in served if "status" in (each.get("subresources") or {})),
    )
