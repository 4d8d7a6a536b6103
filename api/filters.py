"""`field_selector`: filters of lists. One table: kind -> key -> how a value is matched. Pure.

Keys and meanings are those of the original's documentation: exact where it demands that, else a part of the text; case-sensitive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from nautes.messages.errors import Refused
from nautes.resources.findings import Finding

Test = Callable[[dict[str, Any], str], bool]
_PART = re.compile(r"\s*([A-Za-z][A-Za-z_.]*)\s*=(?!=)\s*(.*?)\s*", re.DOTALL)
BOOLS = {"true": True, "false": False}


def _values(item: Any, path: str) -> Iterable[Any]:
    """The values at a dotted path; of every element where the path passes a list."""
    key, _, rest = path.partition(".")
    found = item.get(key) if isinstance(item, dict) else None
    for each in found if isinstance(found, list) else [found]:
        yield from _values(each, rest) if rest else [each]


def _part(path: str) -> Test:
    return lambda item, value: any(isinstance(each, str) and value in each for each in _values(item, path))


def _exact(path: str) -> Test:
    return lambda item, value: any(each == value for each in _values(item, path))


def _bool(path: str) -> Test:
    def test(item: dict[str, Any], value: str) -> bool:
        if value not in BOOLS:
            raise ValueError("is true or false")
        return any(each is BOOLS[value] for each in _values(item, path))

    return test


FILTERS: dict[str, dict[str, Test]] = {
    "Cluster": {
        "cluster_name": _part("name"),
        **{each: _exact(each) for each in ("cluster_type", "usage", "worker_type")},
    },
    "Product": {"product_name": _exact("name")},
    "Project": {"project_name": _part("name")},
    "Environment": {each: _part(each) for each in ("cluster", "env_type")},
    "CodeRepo": {
        "project": _part("project"),
        **{each: _bool(each) for each in ("pipeline_runtime", "deployment_runtime")},
    },
    "CodeRepoBinding": {
        **{each: _part(each) for each in ("coderepo", "product")},
        "projects.in": _part("projects"),
    },
    "DeploymentRuntime": {
        "projects_ref.in": _part("projects_ref"),
        **dict.fromkeys(("manifest_source.code_repo", "manifestSource.codeRepo"), _part("manifest_source.code_repo")),
        **dict.fromkeys(("destination", "destination.environment"), _part("destination.environment")),
        **dict.fromkeys(("destination.namespace", "destination.namespaces"), _part("destination.namespaces")),
    },
    "ProjectPipelineRuntime": {
        **dict.fromkeys(("project", "project_name"), _part("project")),
        "pipeline_source": _part("pipeline_source"),
        "pipeline_triggers.pipeline": _part("pipeline_triggers.pipeline"),
        **dict.fromkeys(("destination", "destination.environment"), _part("destination.environment")),
        **dict.fromkeys(("destination.namespace", "destination.namespaces"), _part("destination.namespace")),
    },
}


def selected(kind: str, selector: str) -> Callable[[dict[str, Any]], bool]:
    """Whether an item of a kind matches. Raises Refused (filter-invalid) for an unknown key or operator."""
    parts = [_parsed(kind, each) for each in selector.split(",")] if selector.strip() else []
    for test, value in parts:
        try:
            test({}, value)
        except ValueError as error:
            raise _refused(f"{value!r}: {error}", kind) from None
    return lambda item: all(test(item, value) for test, value in parts)


def _parsed(kind: str, part: str) -> tuple[Test, str]:
    found = _PART.fullmatch(part)
    if found is None:
        raise _refused(f"{part[:100]!r} is not key=value", kind)
    key, value = found.groups()
    if key not in FILTERS[kind]:
        raise _refused(f"there is no filter {key[:100]!r} for {kind}", kind)
    return FILTERS[kind][key], value


def _refused(message: str, kind: str) -> Refused:
    hint = f"known: {', '.join(FILTERS[kind])}; the only operator is ="
    finding = Finding(rule="filter-invalid", message=message, pointer="/query/field_selector", hint=hint)
    return Refused("filter-invalid", message, findings=[finding])
