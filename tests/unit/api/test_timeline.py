"""The timeline reads recorded histories: requester, calls, attempts and result."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from api.timeline import TimelineEntry, _before, entry_of
from nautes.messages.errors import Refused

HISTORIES = Path(__file__).parents[2] / "replay" / "histories"
STATES = {"Change": "done", "Change.removed": "done", "Change.refused": "refused", "Change.cancelled": "cancelled"}


async def _entry(name: str, operation: str) -> TimelineEntry:
    history = WorkflowHistory.from_json(operation, (HISTORIES / f"{name}.json").read_text())
    return await entry_of(operation, list(history.events), pydantic_data_converter)


@pytest.mark.parametrize("name", STATES)
async def test_a_change_is_told_from_its_history(name: str) -> None:
    found = await _entry(name, "change/shop/one")
    assert (found.state, found.source) == (STATES[name], "api")
    assert found.requester.username
    assert found.started <= found.finished
    assert found.calls[0].step == "products.plan"
    assert all(each.attempts >= 1 and each.seconds is not None for each in found.calls if not each.error)
    assert found.retries == sum(each.attempts - 1 for each in found.calls if each.attempts)


async def test_a_push_by_plain_git_is_told_as_one() -> None:
    assert (await _entry("Change", "change/shop/git-0123456789ab")).source == "git"


async def test_calls_say_what_they_were_about() -> None:
    found = await _entry("Change", "change/shop/one")
    assert "Rules and plan" in [each.summary for each in found.calls]
    assert found.effects
    assert found.outcomes
    assert found.commit


async def test_a_registration_is_told_alike() -> None:
    (path,) = HISTORIES.glob("Registration.json")
    found = await _entry(path.stem, "registration/c/one")
    assert (found.action, found.state) == ("apply", "done")


@pytest.mark.parametrize("cursor", ["x", "MjAyNg", "é", "LS0"])
def test_a_cursor_that_was_never_given_out_is_refused(cursor: str) -> None:
    with pytest.raises(Refused, match="cursor"):
        _before(cursor)
