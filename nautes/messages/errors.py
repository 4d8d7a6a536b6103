"""The one error vocabulary: what a client, an activity or the API may raise.

Clients of outside systems raise these; the worker's interceptor turns them into Temporal application errors (all but
`Unavailable` are final), the API turns them into RFC 9457 problems. Messages are for people and never carry secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from nautes.resources.findings import Finding

MESSAGE_LIMIT = 2_000  # characters; a whole response must never travel in an error


class NautesError(Exception):
    """Base of every error that may leave a client, an activity or the API; `code` is stable."""

    final: ClassVar[bool] = True
    status: ClassVar[int] = 500

    def __init__(self, code: str, message: str, *, findings: Sequence[Finding] = ()) -> None:
        self.code = code
        self.message = message[:MESSAGE_LIMIT]
        self.findings = tuple(findings)
        super().__init__(f"{code}: {self.message}")


class Refused(NautesError):
    """The request breaks a rule, or an outside system refuses it as it is."""

    status = 422


class Unauthenticated(NautesError):
    """The token is absent, wrong, expired or revoked."""

    status = 401


class Forbidden(NautesError):
    """The caller is known but lacks a right; the message names it."""

    status = 403


class NotFound(NautesError):
    """The thing does not exist, or the caller may not know of it."""

    status = 404


class Conflict(NautesError):
    """Something changed between reading and writing (a compare-and-swap lost, a name is taken)."""

    status = 409


class TooLarge(NautesError):
    """A body, file or tree is over its limit."""

    status = 413


class Unavailable(NautesError):
    """An outage: timeouts, 5xx, 429. Retried with back-off; `retry_after` (seconds) is what the server asks for."""

    final = False
    status = 503

    def __init__(self, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
