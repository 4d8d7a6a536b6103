"""The one error vocabulary: what a client, an activity or the API may raise.

Clients of outside systems raise these; the worker's interceptor turns them into Temporal application errors (all but
`Unavailable` are final), api/problems.py turns them into problems. Messages are for people and never carry secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from nautes.resources.findings import Finding

UNEXPECTED = "Unexpected"  # type under which an error that is none of these travels through Temporal: a bug
MESSAGE_LIMIT = 2_000  # characters; a whole response must never travel in an error


class NautesError(Exception):
    """Base of every error that may leave a client, an activity or the API; `code` is stable."""

    final: ClassVar[bool] = True

    def __init__(self, code: str, message: str, *, findings: Sequence[Finding] = ()) -> None:
        self.code = code
        self.message = message[:MESSAGE_LIMIT]
        self.findings = tuple(findings)
        super().__init__(f"{code}: {self.message}")


class Refused(NautesError):
    """The request breaks a rule, or an outside system refuses it as it is."""


class Unauthenticated(NautesError):
    """The token is absent, wrong, expired or revoked."""


class Forbidden(NautesError):
    """The caller is known but lacks a right; the message names it."""


class NotFound(NautesError):
    """The thing does not exist, or the caller may not know of it."""


class Conflict(NautesError):
    """Something changed between reading and writing (a compare-and-swap lost, a name is taken)."""


class TooLarge(NautesError):
    """A body, file or tree is over its limit."""


class Unavailable(NautesError):
    """An outage: no answer, a fault of the other side, or too many requests. Retried with back-off.

    `retry_after` (seconds) is what the server asks for.
    """

    final = False

    def __init__(self, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class NotYet(Unavailable):
    """What was looked for is under way and not so yet. No fault of anybody: the same look is repeated after `retry_after`."""
