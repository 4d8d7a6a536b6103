"""The log of a process: text for people, or one JSON object per line, with what it is about.

What a record is about (operation, product, cluster, workflow, run, attempt) is found where it is written: in a workflow and in an
activity from Temporal, elsewhere from what was `given`. Secrets are never passed to a logger; what looks like one in the text of
somebody else's error is blotted out all the same.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from temporalio import activity, workflow

from nautes.messages import ids, search
from nautes.telemetry import tracing

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
CHATTY = ("httpx2", "httpcore2", "httpx", "urllib3")  # they log every call, with its address
LOOKS_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\bgl[a-z]{2,8}-[A-Za-z0-9_.-]{10,}|\bwhsec_[A-Za-z0-9+/=]{10,}|\b(?:hv[sbr]|s)\.[A-Za-z0-9_-]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]*|(?<=//)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:\b(?:bearer|basic) )(?=\S*[0-9=])[A-Za-z0-9+/=_.-]{12,}",
    re.DOTALL,
)
BLOT = "[secret]"

_given: ContextVar[Mapping[str, str]] = ContextVar("given", default={})  # noqa: B039 - never changed in place


@contextmanager
def given(**about: str) -> Iterator[None]:
    """What the records within this block are about; "" says nothing."""
    before = _given.get()
    keep(**about)
    try:
        yield
    finally:
        _given.set(before)


def keep(**about: str) -> None:
    """As `given`, for the rest of this task, also after the caller has returned."""
    _given.set({**_given.get(), **{name: value for name, value in about.items() if value}})


def about() -> dict[str, str | int]:
    """What is going on at this place."""
    found: dict[str, str | int] = {}
    if workflow.in_workflow():
        found = _of_workflow(workflow.info())
    elif activity.in_activity():
        found = _of_activity(activity.info())
    trace = tracing.trace_id()
    return {**found, **_given.get(), **({"trace_id": trace} if trace else {})}


def _of_workflow(info: workflow.Info) -> dict[str, str | int]:
    known = info.typed_search_attributes
    shown = {"product": known.get(search.PRODUCT), "cluster": known.get(search.CLUSTER)}
    return {
        **ids.about(info.workflow_id),
        **{name: value for name, value in shown.items() if value},
        "workflow_id": info.workflow_id,
        "run_id": info.run_id,
        "attempt": info.attempt,
    }


def _of_activity(info: activity.Info) -> dict[str, str | int]:
    return {
        **ids.about(info.workflow_id or ""),
        "workflow_id": info.workflow_id or "",
        "run_id": info.workflow_run_id or "",
        "activity": info.activity_type,
        "attempt": info.attempt,
    }


class Text(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def format(self, record: logging.LogRecord) -> str:
        """One record, with its traceback below it."""
        return LOOKS_SECRET.sub(BLOT, super().format(record))


class Json(logging.Formatter):
    """For machines: one line per record, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **about(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        cleaned = {name: _clean(value) for name, value in line.items()}
        return json.dumps(cleaned, ensure_ascii=False, default=str)


def _clean(value: object) -> object:
    return LOOKS_SECRET.sub(BLOT, value) if isinstance(value, str) else value


def setup(form: Literal["json", "text"]) -> None:
    """The log of this process from now on, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if form == "json" else Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    if form == "json":  # it is in fields of its own
        workflow.logger.workflow_info_on_message = False
        activity.logger.activity_info_on_message = False
