"""The table of all rules, as docs/rules.md holds it: `python -m nautes.rules.table > docs/rules.md`."""

from __future__ import annotations

from nautes.rules import ALL
from nautes.rules.registry import Rule

INTRO = """# Rules

Written by `python -m nautes.rules.table > docs/rules.md`; a test keeps it up to date.

A rule runs over what a change touches. What it finds anew refuses the change; what was there before is reported and refuses
nothing; what an advisory rule finds never refuses anything. `insecure_skip_check=true` leaves out the rules that hold at
"change and push", never the shape of a manifest: unknown fields, names and values are findings `schema-*` and `yaml-*` of
the parser (`nautes/resources/`), with line and column. Rights that another product must give (`foreign-*`) are never left out.

| rule | kinds | what it demands | effect | where | tests |
|---|---|---|---|---|---|
"""


def markdown() -> str:
    """The whole document."""
    return INTRO + "".join(f"| {' | '.join(_row(each))} |\n".replace("<", "&lt;") for each in _sorted())


def _sorted() -> list[Rule]:
    """Rules about products first, then about clusters, then those that are decided elsewhere."""
    order = {"product": 0, "cluster": 1, "": 2}
    return sorted(ALL.values(), key=lambda each: (order[each.scope], each.id))


def _row(rule: Rule) -> tuple[str, ...]:
    effect = "advises" if rule.advisory else "refuses"
    return f"`{rule.id}`", ", ".join(rule.kinds), rule.demand, effect, rule.where, f"`{rule.tests}`"


if __name__ == "__main__":
    print(markdown(), end="")
