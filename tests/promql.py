"""The expressions of the dashboard and of the alert rules, parsed, and the names of metrics that they use.

The parser is promql-parser from PyPI, which follows Prometheus' grammar; Grafana's variables are filled in first.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).parents[1]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "nautes.json"
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m"}


def rules() -> list[dict[str, Any]]:
    """Every alert rule."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every panel that shows something."""
    return [each for each in json.loads(DASHBOARD.read_text())["panels"] if each["type"] != "row"]


def expressions() -> dict[str, str]:
    """What uses it -> the expression."""
    found = {f"alert {each['alert']}": str(each["expr"]) for each in rules()}
    for panel in panels():
        for target in panel["targets"]:
            found[f"panel {panel['title']} {target['refId']}"] = filled(str(target["expr"]))
    return found


def filled(expression: str) -> str:
    """An expression as Grafana sends it."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    if left := re.search(r"\$\w+", expression):
        raise ValueError(f"{left[0]} is not known here")
    return expression


def names(expression: str) -> set[str]:
    """The metrics of an expression. Raises ValueError for one that does not parse."""
    found: set[str] = set()

    def visit(node: promql_parser.Expr) -> None:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            if not selector.name:
                raise ValueError(f"a selector without a name: {expression}")
            found.add(selector.name)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def used() -> dict[str, set[str]]:
    """Metric -> what uses it."""
    found: dict[str, set[str]] = {}
    for user, expression in expressions().items():
        for name in names(expression):
            found.setdefault(name, set()).add(user)
    return found
