"""The table of rules in the documentation is the one the code has, and names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nautes.rules import ALL, table
from nautes.rules.registry import Rule, register

ROOT = Path(__file__).parents[3]
# Findings that are no rules: of parsers, of the API about a request as such, and codes of errors.
FREE = re.compile(r"schema-|stored-|yaml-|json-|manifests|filter-invalid|request|query-unknown")


def test_the_committed_table_is_up_to_date() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    assert text == table.markdown(), "python -m nautes.rules.table > docs/rules.md"


def test_every_rule_has_one_row_and_its_tests_are_there() -> None:
    rows = [line.strip("| ").split(" | ") for line in table.markdown().splitlines() if line.startswith("| `")]
    assert all(len(row) == 6 and all(row) for row in rows)
    ids = [row[0].strip("`") for row in rows]
    assert len(ids) == len(set(ids)) and set(ids) == set(ALL)
    advisory = {row[0].strip("`") for row in rows if row[3] == "advises"}
    assert advisory == {"pipeline-unsupported", "trigger-revision", "cluster-component-bundle"}
    for path in {path for row in rows for path in re.findall("`(.+?)`", row[5])}:
        assert (ROOT / path).is_file(), path


def test_every_finding_in_the_code_is_of_a_registered_rule() -> None:
    """A finding that is made by hand, with an id of its own, would be missing in the table."""
    free = []
    for folder in ("nautes", "activities", "workflows", "api"):
        for path in (ROOT / folder).rglob("*.py"):
            free += [(path.name, each) for each in re.findall(r'\brule="([a-z-]+)"', path.read_text())]
    assert [each for each in free if not FREE.match(each[1])] == []


def test_an_id_stands_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        register(Rule("frozen", ("Product",), "", "", ""))
