"""Every payload that passes through Temporal, by name: inputs, results and messages of workflows and activities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from temporalio import activity, workflow

from nautes.messages.operations import OperationResult, Retry
from nautes.messages.status import DeploymentStatus, PipelineStatus, RunStatus
from nautes.resources.findings import Finding
from tests.workflow.fakes import CLASSES
from worker import WORKFLOWS
from workflows.claims_state import ClaimsState

# What travels beside them: in memos (workflows/bugs.py, progress.py, endings.py), in failures (activities/errors.py), in a text.
BESIDE: dict[str, Any] = {
    "Memo/stopped": Retry,
    "Memo/deployment": DeploymentStatus,
    "Memo/pipeline": PipelineStatus,
    "Memo/run": RunStatus,
    "Memo/report": OperationResult,
    "Failure/findings": list[Finding],
    "NamespaceClaims/state": ClaimsState,  # packed into its input
}


def payloads() -> dict[str, Any]:
    """Name -> type. A state that survives continue-as-new is part of its workflow's input."""
    found = dict(BESIDE)
    for cls in WORKFLOWS:
        found |= _of_workflow(workflow._Definition.must_from_class(cls))
    for holder in CLASSES:
        for each in vars(holder).values():
            if hasattr(each, "__temporal_activity_definition"):
                definition = activity._Definition.must_from_callable(each)
                found |= dict(_pair(str(definition.name), definition.arg_types, definition.ret_type))
    return found


def _of_workflow(definition: workflow._Definition) -> dict[str, Any]:
    name, found = str(definition.name), dict[str, Any]()
    found |= dict(_pair(name, definition.arg_types, definition.ret_type))
    for signal in definition.signals.values():
        found |= dict(_pair(f"{name}/signal/{signal.name}", signal.arg_types, None))
    for update in definition.updates.values():
        found |= dict(_pair(f"{name}/update/{update.name}", update.arg_types, update.ret_type))
    for query in definition.queries.values():
        found |= dict(_pair(f"{name}/query/{query.name}", query.arg_types, query.ret_type))
    return found


def _pair(name: str, arguments: Sequence[Any] | None, result: Any) -> Iterator[tuple[str, Any]]:
    assert len(arguments or ()) <= 1, f"{name}: one argument, so that it can grow"
    for each in arguments or ():
        yield f"{name}/input", each
    if result not in (None, type(None)):
        yield f"{name}/result", result
