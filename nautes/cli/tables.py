"""Tables for people: which columns a kind has, and one line per item. Used by `nautes get` and `nautes history`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.table import Table

from nautes.cli.show import escape, out

SHOWN = 5  # elements of a list that are shown; more are cut with dots
Column = tuple[str, Callable[[dict[str, Any]], Any]]


def _at(path: str) -> Callable[[dict[str, Any]], Any]:
    """Reads the value at a dotted path; None where it does not exist."""

    def read(item: dict[str, Any]) -> Any:
        found: Any = item
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return found

    return read


def _each(path: str, inner: str) -> Callable[[dict[str, Any]], Any]:
    """Reads `inner` of every element of the list at `path`, each value once."""

    def read(item: dict[str, Any]) -> Any:
        return list(dict.fromkeys(found for each in _at(path)(item) or [] if (found := _at(inner)(each))))

    return read


def _components(item: dict[str, Any]) -> list[str]:
    """Names of the components in a cluster's slots."""
    return [each["name"] for each in (item.get("components_list") or {}).values() if each]


def _columns(*paths: str) -> tuple[Column, ...]:
    """Columns named like the last part of their paths."""
    return tuple((each.rpartition(".")[2], _at(each)) for each in paths)


COLUMNS: dict[str, tuple[Column, ...]] = {
    "clusters": (
        *_columns("name", "api_server", "usage", "cluster_type", "worker_type", "primary_domain"),
        ("components", _components),
    ),
    "products": _columns("name", "git.gitlab.path", "git.gitlab.visibility", "git.gitlab.description"),
    "environments": _columns("name", "product", "cluster", "env_type"),
    "projects": _columns("name", "product", "language"),
    "coderepos": (
        *_columns("name", "product", "project", "git.gitlab.path", "git.gitlab.visibility"),
        ("ssh_url", _at("git.gitlab.ssh_url_to_repo")),
        ("http_url", _at("git.gitlab.http_url_to_repo")),
    ),
    "coderepobindings": _columns("name", "product", "coderepo", "permissions", "projects"),
    "projectpipelineruntimes": (
        *_columns("name", "account", "project", "destination.environment", "destination.namespace"),
        ("source", _at("pipeline_source")),
        ("event_repos", _each("event_sources", "gitlab.repo_name")),
        ("event_sources", _each("event_sources", "name")),
    ),
    "deploymentruntimes": (
        *_columns("name", "account", "product"),
        ("repo", _at("manifest_source.code_repo")),
        ("revision", _at("manifest_source.target_revision")),
        *_columns("manifest_source.path"),
        ("projects", _at("projects_ref")),
        *_columns("destination.environment", "destination.namespaces"),
    ),
    "runs": _columns("run", "phase", "pipeline", "ref", "commit", "started", "finished"),
    "history": (
        *_columns("started", "requester.username", "source", "action", "state"),
        ("commit", lambda item: str(item.get("commit") or "")[:12]),
        *_columns("retries", "operation"),
        ("what", lambda item: [f"{each['resource']} {each['action']}" for each in item.get("outcomes", [])]),
    ),
}


def table(kind: str, items: list[dict[str, Any]]) -> None:
    """One line per item."""
    columns = COLUMNS[kind]
    shown = Table(box=None, pad_edge=False)
    for name, _ in columns:
        shown.add_column(name.upper())
    for item in items:
        shown.add_row(*(escape(_cell(read(item))) for _, read in columns))
    out.print(shown if items else "nothing found")


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_cell(each) for each in value.values() if each)
    if isinstance(value, list):
        return ",".join(_cell(each) for each in value[:SHOWN]) + ("..." if len(value) > SHOWN else "")
    return "" if value is None else " ".join(str(value).split())  # one item, one line
