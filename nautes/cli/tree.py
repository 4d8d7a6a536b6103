"""Prints the tree of a product: environments, runtimes, objects; healthy objects only on request.

Used by `nautes status`.
"""

from __future__ import annotations

from typing import Any

from rich.tree import Tree

from nautes.cli.show import escape, out

GOOD = {"Converged", "Ready", "Idle", "Succeeded", "Running", "Pending"}


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
    if status["unnamed"]:
        branch.add(f"and {status['unnamed']} more objects: nautes describe deploymentruntime {status['runtime']}")
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
