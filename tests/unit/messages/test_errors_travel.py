"""The error vocabulary: what is final, what is retried, and in which form it travels."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities.errors import as_application_error
from nautes.messages import errors
from nautes.messages.errors import NautesError, Refused, Unavailable
from nautes.resources.findings import Finding

KINDS = [
    errors.Refused,
    errors.Unauthenticated,
    errors.Forbidden,
    errors.NotFound,
    errors.Conflict,
    errors.TooLarge,
    errors.Unavailable,
]


def test_every_kind_of_error_is_looked_at() -> None:
    assert set(KINDS) == set(NautesError.__subclasses__())


@pytest.mark.parametrize("kind", KINDS)
def test_only_an_outage_is_retried(kind: type[NautesError]) -> None:
    sent = as_application_error(kind("the-code", "why"))
    assert sent.non_retryable is (kind is not Unavailable)
    assert sent.type == kind.__name__
    assert sent.details == ({"code": "the-code", "message": "why", "findings": []},)


def test_the_other_sides_wish_is_the_next_delay() -> None:
    assert as_application_error(Unavailable("c", "m", retry_after=7)).next_retry_delay == timedelta(seconds=7)
    assert as_application_error(Unavailable("c", "m")).next_retry_delay is None
    assert as_application_error(Refused("c", "m")).next_retry_delay is None


def test_findings_travel_with_a_refusal() -> None:
    found = Finding(rule="r", message="m", pointer="/spec/a", hint="h", resource="Project/web", line=3, column=5)
    [details] = as_application_error(Refused("rules", "m", findings=[found])).details
    assert Finding.model_validate(details["findings"][0]) == found
