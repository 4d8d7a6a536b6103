"""The alert rules and the dashboard: they parse, use metrics that there are, and say what to do."""

from __future__ import annotations

import re

import pytest

from nautes.telemetry.catalogue import ALL
from tests.promql import ROOT, expressions, names, panels, rules, used

SUFFIXES = ("_bucket", "_sum", "_count")
FOREIGN = ("temporal_", "process_", "python_")  # these are looked for in a real scrape (tests/integration/operating)


def _base(name: str) -> str:
    return next((name.removesuffix(each) for each in SUFFIXES if name.endswith(each)), name)


@pytest.mark.parametrize("user", expressions())
def test_an_expression_parses(user: str) -> None:
    assert names(expressions()[user])


@pytest.mark.parametrize("broken", ["sum by (x", "rate(x)[5m]", "x{", "max(x) == "])
def test_a_broken_expression_does_not(broken: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        names(broken)


def test_names_are_found_wherever_they_stand() -> None:
    assert names('max(a) > 2 * rate(b_total{c="d"}[5m] offset 1h) or absent(e)') == {"a", "b_total", "e"}
    assert names("max_over_time(rate(f[1m])[1h:5m])") == {"f"}


def test_every_metric_of_ours_that_is_used_is_described() -> None:
    known = {each.name for each in ALL}
    assert {name for name in used() if _base(name) not in known and not name.startswith(FOREIGN)} == set()


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = {_base(name) for name, users in used().items() if any(each.startswith("panel ") for each in users)}
    assert {each.name for each in ALL} <= shown


def test_a_label_that_an_expression_names_is_one_of_the_metric() -> None:
    labels = {each.name: set(each.labels) for each in ALL}
    for user, expression in expressions().items():
        for name, matchers in re.findall(r"(nautes_\w+)\{([^}]*)\}", expression):
            named = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
            assert named <= labels[_base(name)], user


@pytest.mark.parametrize("rule", rules(), ids=lambda each: str(each["alert"]))
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, object]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"] in ({"severity": "warning"}, {"severity": "critical"})
    annotations = rule["annotations"]
    assert isinstance(annotations, dict) and set(annotations) == {"summary", "runbook"}
    file, _, anchor = str(annotations["runbook"]).partition("#")
    headings = re.findall(r"^### (\w+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor == str(rule["alert"]).lower() and rule["alert"] in headings


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels()]
    assert len(set(places)) == len(places) == len({each["id"] for each in panels()})
    assert all(each["gridPos"]["x"] + each["gridPos"]["w"] <= 24 for each in panels())
