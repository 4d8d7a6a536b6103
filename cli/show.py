"""What the commands print: tables, trees and lines for people; pure JSON or YAML for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape as _escape
from rich.table import Table
from rich.tree import Tree

WIDE = None if sys.stdout.isatty() else 200  # columns; a pipe has no width to fit into
out = Console(highlight=False, soft_wrap=True, width=WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)
GOOD = {"Converged", "Ready", "Idle", "Succeeded", "Running", "Pending"}
COLUMNS: dict[str, tuple[str, ...]] = {
    "clusters": ("name", "usage", "cluster_type", "worker_type", "api_server"),
    "products": ("name",),
    "environments": ("name", "product", "cluster", "env_type"),
    "projects": ("name", "product", "language"),
    "coderepos": ("name", "product", "project"),
    "coderepobindings": ("name", "product", "coderepo", "permissions", "projects"),
    "projectpipelineruntimes": ("name", "product", "project", "pipeline_source", "destination"),
    "deploymentruntimes": ("name", "product", "manifest_source", "destination"),
    "runs": ("run", "phase", "pipeline", "ref", "commit", "started", "finished"),
}


def plain(text: str) -> str:
    """A text of others on one terminal: what would steer it (escape sequences) is shown as "?"."""
    return "".join(each if each.isprintable() or each in "\n\t" else "?" for each in text)


def escape(text: str) -> str:
    """A text of others inside markup of ours."""
    return _escape(plain(text))


def line(text: str) -> None:
    """One line on standard output, as it is."""
    out.print(plain(text), markup=False)


def data(value: Any, form: str) -> None:
    """Pure JSON or YAML on standard output."""
    text = json.dumps(value, indent=2) if form == "json" else yaml.safe_dump(value, sort_keys=False)
    sys.stdout.write(text.rstrip("\n") + "\n")


def table(kind: str, items: list[dict[str, Any]]) -> None:
    """One line per item."""
    columns = COLUMNS[kind]
    shown = Table(box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column.upper())
    for item in items:
        shown.add_row(*(escape(_cell(item.get(column))) for column in columns))
    out.print(shown if items else "nothing found")


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_cell(each) for each in value.values() if each)
    if isinstance(value, list):
        return ",".join(str(each) for each in value[:5]) + ("..." if len(value) > 5 else "")
    return "" if value is None else str(value)


def plan(answer: dict[str, Any]) -> None:
    """What a command would do: one line per effect."""
    effects = [each for operation in answer["operations"] for each in operation.get("effects", [])]
    for each in effects:
        line(f"would {each['action']} {each['target']} ({each['system']})")
    if not effects:
        line("nothing to do")


def operations(answer: dict[str, Any]) -> None:
    """How the operations of a command ended: one line per resource."""
    for operation in answer["operations"]:
        for outcome in operation["outcomes"]:
            line(f"{outcome['resource']} {outcome['action']}")
        if operation["state"] == "running":
            line(f"still running: {operation['operation']}")
        for finding in operation["already"]:
            err.print(f"was wrong before: {escape(finding['message'])}")


def findings(found: list[dict[str, Any]]) -> None:
    """Every finding on standard error: where, what, how to mend it."""
    for each in found:
        where = ":".join(str(part) for part in (each["resource"], each["line"], each["column"]) if part)
        err.print(f"{escape(where)}: {escape(each['message'])} ({each['rule']})" if where else escape(each["message"]))
        if each["hint"]:
            err.print(f"  {escape(each['hint'])}")


def product_tree(answer: dict[str, Any], *, everything: bool) -> None:
    """Product, environments, runtimes, and objects that are not as they should be (or `everything`)."""
    product = answer["product"]
    root = Tree(f"{product['path']}  {_phase(product['phase'])}  {product['commit'][:12]}")
    for finding in product["findings"]:
        root.add(f"[red]{escape(finding['message'])}[/red]")
    places = {each["name"]: each["environment"] for each in product["runtimes"]}
    for environment, cluster in sorted(product["environments"].items()):
        branch = Tree(f"{environment} ({cluster})")
        for each in answer["deployments"]:
            if places.get(each["runtime"]) == environment:
                _deployment(branch, each, everything=everything)
        for each in answer["pipelines"]:
            if places.get(each["runtime"]) == environment:
                _pipeline(branch, each, everything=everything)
        if branch.children or everything:
            root.add(branch)
    if not root.children:
        root.add("all is as declared")
    out.print(root)


def _deployment(branch: Tree, status: dict[str, Any], *, everything: bool) -> None:
    if status["phase"] == "Converged" and not everything:
        return
    counts = f"{status['applied']} applied, {status['unchanged']} unchanged, {status['writes']} writes"
    took = f", {status['seconds']['total']:.2f} s" if "total" in status["seconds"] else ""
    branch = branch.add(
        f"deployment {status['runtime']}  {_phase(status['phase'])}  {status['commit'][:12]}  {counts}{took}"
    )
    if status["message"]:
        branch.add(escape(status["message"]))
    for each in status["outcomes"]:
        if each["action"] in ("refused", "failed"):
            branch.add(
                f"[red]{escape(each['kind'])}/{escape(each['name'])} {each['action']}[/red]: {escape(each['reason'])}"
            )
    for each in status["unhealthy"]:
        branch.add(
            f"[yellow]{escape(each['kind'])}/{escape(each['name'])} {each['status']}[/yellow]: {escape(each['reason'])}"
        )
    _retry(branch, status)


def _pipeline(branch: Tree, status: dict[str, Any], *, everything: bool) -> None:
    if status["phase"] == "Ready" and not everything:
        return
    branch = branch.add(f"pipeline {status['runtime']}  {_phase(status['phase'])}  {len(status['runs'])} runs")
    if status["message"]:
        branch.add(escape(status["message"]))
    _retry(branch, status)


def _retry(branch: Tree, status: dict[str, Any]) -> None:
    retry = status.get("retry")
    if retry:
        branch.add(
            f"[yellow]{retry['step']} attempt {retry['attempt']}[/yellow]: {escape(retry['error'])}; next try {retry['next_try']}"
        )


def _phase(phase: str) -> str:
    return f"[green]{phase}[/green]" if phase in GOOD else f"[yellow]{phase}[/yellow]"
