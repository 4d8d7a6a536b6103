"""What a change would do, line by line and system by system: the readable part of a plan. Called by planning.py.

It is made of the same differences the change then acts on: of manifests, of what GitLab has, of who may use whose keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from nautes.blueprints import keys, runtimes
from nautes.messages import ids
from nautes.messages.operations import Effect, FieldChange
from nautes.resources.base import Resource
from nautes.resources.fields import differences
from nautes.resources.manifest import manifest_of
from nautes.resources.product import CodeRepo, Environment, Product
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.tree import ProductTree

Action = Literal["create", "change", "delete"]
Runtime = DeploymentRuntime | ProjectPipelineRuntime
IN_GITLAB = ("name", "visibility", "description")  # settings of groups and projects that a manifest can declare


def declared(before: Resource | None, after: Resource | None) -> Iterable[Effect]:
    """The line of `default.project`: a resource's file appears, changes or goes."""
    found = after or before
    if found is None or isinstance(found, Product) or before == after:
        return
    action: Action = "create" if before is None else "delete" if after is None else "change"
    old, new = (manifest_of(each)["spec"] if each else {} for each in (before, after))
    changes = _fields(old, new, "/spec") if action == "change" else []
    yield Effect(system="git", action=action, target=found.key, fields=changes)


def settled(what: str, path: str, wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> Iterable[Effect]:
    """The line of a group or a repository in GitLab; settings that are not declared stay what they are."""
    asked = {name: wanted[name] for name in IN_GITLAB if wanted.get(name) not in (None, "")}
    target = f"{what} {path}"
    if found is None:
        yield Effect(system="gitlab", action="create", target=target)
        return
    changes = _fields({name: found.get(name) for name in asked}, asked)
    if changes:
        yield Effect(system="gitlab", action="change", target=target, fields=changes)


def doors(path: str, permissions: Iterable[str], *, token: bool) -> Iterable[Effect]:
    """What a new repository gets so that the platform and its pipelines can work with it."""
    for permission in permissions:
        yield Effect(system="gitlab", action="create", target=f"deploy key {permission} of {path}")
    if token:
        yield Effect(system="gitlab", action="create", target=f"access token of {path}")
    yield Effect(system="gitlab", action="create", target=f"webhook of {path}")
    yield Effect(system="vault", action="create", target=f"secrets of {path}")


def shared(product: str, before: ProductTree, after: ProductTree) -> Iterable[Effect]:
    """Deploy keys of one repository on another one: given and taken away. Repositories that go take theirs with them."""
    old, new = keys.wanted(before), keys.wanted(after)
    for name in sorted({*old, *new}):
        here, there = old.get(name, frozenset()), new.get(name, frozenset())
        for access in sorted(here ^ there, key=lambda each: (each.consumer, each.permission)):
            if access.consumer == f"{product}/{name}" or name not in new:
                continue
            action: Action = "create" if access in there else "delete"
            target = f"deploy key {access.permission} of {access.consumer} on {product}/{name}"
            yield Effect(system="gitlab", action=action, target=target)


def running(group_id: int, before: Runtime | None, after: Runtime | None, tree: ProductTree) -> Iterable[Effect]:
    """A runtime's place in its cluster, and its role in Vault."""
    found = after or before
    if found is None or before == after:
        return
    environment = tree.get(Environment, found.destination.environment)
    cluster = environment.cluster if environment else "?"
    names = found.namespaces if isinstance(found, DeploymentRuntime) else [found.namespace]
    what = "deployment" if isinstance(found, DeploymentRuntime) else "pipeline"
    action: Action = "create" if before is None else "delete" if after is None else "change"
    target, where = f"{what} {found.name} in {cluster}", f"namespaces {', '.join(names)}"
    yield Effect(system="kubernetes", action=action, target=target, detail=where)
    if action != "change":
        role = runtimes.account_name(ids.product_name(group_id), found.name) if group_id else found.name
        yield Effect(system="vault", action=action, target=f"role {role} of {cluster}")


def gone(product: str, resources: Iterable[Resource]) -> Iterable[Effect]:
    """What goes in GitLab and Vault with repositories and with the product itself."""
    for each in resources:
        if isinstance(each, CodeRepo):
            yield Effect(system="vault", action="delete", target=f"secrets of {product}/{each.name}")
            yield Effect(system="gitlab", action="delete", target=f"repository {product}/{each.name}")
        elif isinstance(each, Product):
            yield Effect(system="gitlab", action="delete", target=f"group {product}")


def _fields(before: Any, after: Any, pointer: str = "") -> list[FieldChange]:
    return [FieldChange(pointer=at, before=old, after=new) for at, old, new in differences(before, after, pointer)]
