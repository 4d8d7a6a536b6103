"""The table of rules in the documentation is the one the code has, and names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from nautes.rules import clusters, engine, table

ROOT = Path(__file__).parents[3]


def test_the_committed_table_is_up_to_date() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    assert text == table.markdown(), "python -m nautes.rules.table > docs/rules.md"


def test_every_rule_has_one_row_and_its_tests_are_there() -> None:
    rows = [line.strip("| ").split(" | ") for line in table.markdown().splitlines() if line.startswith("| `")]
    assert all(len(row) == 6 and all(row) for row in rows)
    ids = [row[0].strip("`") for row in rows]
    assert len(ids) == len(set(ids))
    assert {*engine.RULES, *clusters.RULES} < set(ids)
    advisory = {row[0].strip("`") for row in rows if row[3] == "advises"}
    assert advisory == {"pipeline-unsupported", "trigger-revision", "cluster-component-bundle"}
    for path in {path for row in rows for path in re.findall("`(.+?)`", row[5])}:
        assert (ROOT / path).is_file(), path
