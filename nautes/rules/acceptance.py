"""Which part of a pushed declaration takes effect: every resource is judged on its own; a refused one keeps its older version.

Called by activities/products.py for whatever reaches `default.project` by plain Git. Nothing is deleted
because a file cannot be read, and a resource is held back for its own findings or for those of what it depends on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from nautes.resources.findings import Finding
from nautes.resources.tree import ProductTree
from nautes.rules import deletions
from nautes.rules.engine import World, check, references
from nautes.rules.frozen import frozen


@dataclass(frozen=True)
class Verdict:
    """`tree` is in effect; `held` are the keys whose pushed version is not; `findings` say why."""

    tree: ProductTree
    held: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Pushed:
    """The input of a judgement: the world in effect, the pushed one, and what was decided elsewhere already."""

    before: World
    after: World
    trusted: frozenset[str] = frozenset()
    confirmed: int | None = None  # deletions the commit's message confirms
    limits: deletions.Limits = field(default_factory=deletions.Limits)
    refused: tuple[Finding, ...] = ()  # findings from elsewhere; they count for trusted resources, too
    consequences: tuple[
        deletions.Consequence, ...
    ] = ()  # objects that are deleted with the resources that change or go

    @property
    def changed(self) -> set[str]:
        """Keys that differ and are not trusted."""
        old, new = self.before.tree.resources, self.after.tree.resources
        return {key for key in {*old, *new} if old.get(key) != new.get(key)} - self.trusted


def judge(pushed: Pushed) -> Verdict:
    """Hold back what breaks a rule, then what depends on it, until the rest breaks no rule."""
    changed = pushed.changed
    held, findings = _gone(pushed, changed)
    held |= {each.resource for each in pushed.refused}
    findings += pushed.refused
    while True:
        tree = _restored(pushed, held)
        wrong = _findings(pushed, changed - held, tree)
        blamed = _blamed(wrong, changed - held, pushed.before.tree)
        findings += wrong
        if not blamed:
            return Verdict(tree, frozenset(held), tuple(dict.fromkeys([*pushed.after.tree.findings, *findings])))
        held |= blamed


def _gone(pushed: Pushed, changed: set[str]) -> tuple[set[str], list[Finding]]:
    """Deletions that do not take effect: all while a file cannot be read, else those that lack a confirmation."""
    before = pushed.before.tree
    gone = {key for key in changed if key not in pushed.after.tree.resources}
    if pushed.after.tree.findings:
        return gone, []
    also = [each for each in pushed.consequences if each.key in changed]
    lost = [before.resources[key] for key in sorted(gone)]
    found = deletions.check(lost, before, pushed.confirmed, pushed.limits, also)
    return (gone | {each.key for each in also}, list(found)) if found else (set(), [])


def _restored(pushed: Pushed, held: Collection[str]) -> ProductTree:
    """The pushed tree, with the held resources as they were before."""
    old = pushed.before.tree.resources
    kept = pushed.after.tree.remove(key for key in held if key not in old)
    return kept.apply(old[key] for key in held if key in old)


def _findings(pushed: Pushed, changed: set[str], tree: ProductTree) -> list[Finding]:
    found = list(check(changed, pushed.before, replace(pushed.after, tree=tree)).new)
    for key in sorted(changed):
        old, new = pushed.before.tree.resources.get(key), tree.resources.get(key)
        if old is not None and new is not None:
            found += frozen(old, new, pushed.before)
    return found


def _blamed(wrong: Iterable[Finding], changed: set[str], before: ProductTree) -> set[str]:
    """What to hold back: the resource of a finding, or else the change that causes it."""
    blamed: set[str] = set()
    for each in wrong:
        about = before.resources.get(each.resource)
        if each.resource in changed:
            blamed.add(each.resource)
        elif about is not None:
            blamed |= references(about) & changed
    return blamed
