"""What travels through Temporal: it cannot change on the way, is small, tolerates newer fields, and holds no secret."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

import pytest
from pydantic import ValidationError

import nautes.messages
from nautes.convergence.health import REASON_LENGTH
from nautes.messages.convergence import OUTCOMES_LIMIT, HealthReport, ObjectHealth
from nautes.messages.errors import MESSAGE_LIMIT, NautesError, Refused
from nautes.messages.gitlab import Push
from nautes.messages.runtimes import RunInput
from nautes.messages.secrets import SecretRef
from nautes.resources.payload import Payload

for _module in pkgutil.iter_modules(nautes.messages.__path__):
    importlib.import_module(f"nautes.messages.{_module.name}")

PAYLOAD_LIMIT = 256 << 10  # bytes, design section 5
SECRETIVE = re.compile(r"secret|token|password|kubeconfig|private|credential", re.IGNORECASE)
REFERENCES = (SecretRef, SecretRef | None, list[SecretRef])
PUSH = {"event": "e", "project_id": 5, "repository": "shop/source", "ref": "refs/heads/main"}
PUSH |= {"before": "0" * 40, "after": "1" * 40, "kind": "push_events"}


def all_payloads(model: type[Payload] = Payload) -> list[type[Payload]]:
    return [each for below in model.__subclasses__() for each in (below, *all_payloads(below))]


EVERY = sorted(
    {each for each in all_payloads() if each.__module__.startswith("nautes.messages.")}, key=lambda each: each.__name__
)


def test_there_are_payloads_to_look_at() -> None:
    assert {SecretRef, Push, RunInput, HealthReport} <= set(EVERY)


@pytest.mark.parametrize("model", EVERY, ids=lambda each: each.__name__)
def test_a_payload_is_frozen_takes_newer_fields_and_hides_what_it_was_given(model: type[Payload]) -> None:
    assert model.model_config["frozen"] is True
    assert model.model_config["extra"] == "ignore", "an older worker reads what a newer one wrote"
    assert model.model_config["hide_input_in_errors"] is True
    assert model.__doc__


@pytest.mark.parametrize("model", EVERY, ids=lambda each: each.__name__)
def test_what_is_called_a_secret_is_a_reference(model: type[Payload]) -> None:
    for name, field in model.model_fields.items():
        if SECRETIVE.search(name):
            assert field.annotation in REFERENCES, f"{model.__name__}.{name} is {field.annotation}"


def test_a_reference_never_shows_a_value() -> None:
    given = {
        "engine": "git",
        "path": "gitlab/repo-5/default/readonly",
        "version": 3,
        "value": "hunter2",
        "data": ["hunter2"],
    }
    ref = SecretRef.model_validate(given)
    assert "hunter2" not in repr(ref) + str(ref) + ref.model_dump_json()
    assert sorted(SecretRef.model_fields) == ["engine", "path", "version"]
    assert SecretRef.model_validate_json(ref.model_dump_json()) == ref
    with pytest.raises(ValidationError):
        ref.path = "elsewhere"  # type: ignore[misc]


def test_a_wrong_payload_does_not_quote_what_it_was_given() -> None:
    with pytest.raises(ValidationError) as error:
        SecretRef.model_validate({"engine": "git", "path": ["hunter2"], "version": "hunter2"})
    assert "hunter2" not in str(error.value)


def test_a_push_is_read_back_as_it_was_written_by_older_and_newer_workers() -> None:
    push = Push.model_validate(PUSH)
    assert Push.model_validate_json(push.model_dump_json()) == push
    assert push.delivery == ""
    assert Push.model_validate({**PUSH, "from_the_future": 1}) == push


@pytest.mark.parametrize(
    "wrong",
    [
        {"project_id": "shop"},
        {"project_id": None},
        {"ref": None},
        {"ref": 5},
        {"after": ["x"]},
        {"kind": "issues_events"},
    ],
)
def test_a_push_of_other_types_is_no_push(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Push.model_validate({**PUSH, **wrong})


def test_a_full_health_report_fits_into_a_payload() -> None:
    worst = ObjectHealth(
        kind="K" * 63, namespace="n" * 63, name="x" * 253, status="Terminating", reason="r" * REASON_LENGTH
    )
    report = HealthReport(healthy=False, unhealthy=[worst] * OUTCOMES_LIMIT, total=10_000)
    assert len(report.model_dump_json().encode()) < PAYLOAD_LIMIT


def test_an_error_carries_a_message_for_people_and_no_whole_answer() -> None:
    error = Refused("code", "x" * 100_000)
    assert len(error.message) == MESSAGE_LIMIT
    assert len(str(error)) < MESSAGE_LIMIT + 20
    assert str(NautesError("code", "why")) == "code: why"
