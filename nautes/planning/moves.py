"""Which runtimes a change creates, moves or removes, and what is deleted with that although nobody names it.

Used for a request and for a pushed head alike: a deletion has to be confirmed in either case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nautes.planning.declaration import runtimes
from nautes.planning.effects import Move, Objects, Placed
from nautes.resources.product import Environment
from nautes.resources.tree import ProductTree
from nautes.rules.deletions import Consequence


def moves(before: ProductTree, after: ProductTree, objects: Mapping[str, Objects]) -> dict[str, Move]:
    """Every runtime that is placed otherwise after a change than before it, by its key."""
    old, new = ({each.key: Placed.of(each, tree) for each in runtimes(tree)} for tree in (before, after))
    return {
        key: Move(
            before=old.get(key),
            after=new.get(key),
            others_before=[each for name, each in old.items() if name != key],
            others_after=[each for name, each in new.items() if name != key],
            objects=objects.get(key, Objects()),
        )
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    }


def moving(before: ProductTree, after: ProductTree) -> dict[str, Move]:
    """Runtimes that are there and are placed otherwise, or go: what they have in their clusters has to be counted."""
    return {key: each for key, each in moves(before, after, {}).items() if each.before}


def consequences(before: ProductTree, found: Mapping[str, Move]) -> Iterable[Consequence]:
    """Objects that are deleted with a runtime that moves or goes: volume claims, and whatever a protected environment holds."""
    protected = {each.name for each in before.all(Environment) if each.protected}
    environments = {each.key: each.destination.environment for each in runtimes(before)}
    for key, move in found.items():
        claims, replaced = move.lost_claims, move.replaced
        if move.leaves and not move.objects.known:
            cluster = move.before.cluster if move.before else ""
            text = f"what {key} has in namespaces that it leaves cannot be counted: cluster {cluster} does not answer"
            yield Consequence(key, 1, text)
        elif environments.get(key) in protected and move.after and (replaced or move.vacated):
            what = [f"{replaced} objects of {key} in a protected environment are replaced"] if replaced else []
            what += [f"namespace {each} of {key} in a protected environment is deleted" for each in move.vacated]
            yield Consequence(key, replaced + len(move.vacated), "; ".join(what))
        elif claims:
            yield Consequence(key, len(claims), f"{key} loses the volume claims {', '.join(claims)}")
