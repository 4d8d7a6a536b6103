"""What a registration, an update or a removal of a cluster does, line by line. Called by activities/clusters.py."""

from __future__ import annotations

from collections.abc import Iterable

from nautes.blueprints import components
from nautes.blueprints.virtual import host_of
from nautes.planning.steps import Action, Effect, FieldChange, Manifest, Outcome
from nautes.resources.fields import differences


def effects(name: str, before: Manifest, after: Manifest) -> Iterable[Effect]:
    """What turns the cluster `before` into `after`; an empty manifest stands for a cluster that is not there."""
    if before == after:
        return
    action: Action = "create" if not before else "delete" if not after else "change"
    old, new = before.get("spec", {}), after.get("spec", {})
    fields = [
        FieldChange(pointer=at, before=was, after=shall)
        for at, was, shall in differences(old, new, "/spec")
        if action == "change"
    ]
    yield Effect(system="git", action=action, target=f"Cluster/{name}", fields=fields)
    if action != "change":
        for target in (f"kubeconfig of {name}", f"auth/{name}"):
            yield Effect(system="vault", action=action, target=target)
        if host := host_of(after or before):
            yield Effect(system="kubernetes", action=action, target=f"virtual cluster {name} on {host}")
    installed, wanted = (dict(components.of_cluster(each)) if each else {} for each in (before, after))
    for component in sorted({*installed, *wanted}):
        if installed.get(component) != wanted.get(component):
            made: Action = "create" if component not in installed else "delete" if component not in wanted else "change"
            yield Effect(system="kubernetes", action=made, target=f"component {component} of {name}")


def outcome(resource: str, before: Manifest, after: Manifest, *, removes: bool) -> Outcome:
    """What becomes of the cluster, as the user sees it."""
    if removes:
        return Outcome(resource=resource, action="removed" if before else "absent")
    return Outcome(resource=resource, action="created" if not before else "unchanged" if before == after else "changed")
