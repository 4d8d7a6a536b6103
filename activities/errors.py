"""The worker's interceptor: it turns our errors into Temporal's, with code, message and findings in the details.

Final errors are not retried; `Unavailable` is, at the time the server asked for. Any other error is a bug: the workflow repeats
the step a few times, then it stops (workflows/bugs.py). Its text is shortened, because it may quote secrets.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError, TemporalError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from nautes.messages.errors import UNEXPECTED, NautesError, NotYet, Unavailable

UNEXPECTED_LIMIT = 300  # characters of the text of an unexpected error


class ErrorInterceptor(Interceptor):
    """An interceptor for the worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity."""
        return _Translating(next)


class _Translating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except NautesError as error:
            raise as_application_error(error) from None
        except (TemporalError, CancelledError):
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}"[:UNEXPECTED_LIMIT]
            raise ApplicationError(text, type=UNEXPECTED, non_retryable=True) from error


def as_application_error(error: NautesError) -> ApplicationError:
    """Our error as Temporal transports it."""
    details = {
        "code": error.code,
        "message": error.message,
        "findings": [each.model_dump() for each in error.findings],
    }
    wish = error.retry_after if isinstance(error, Unavailable) else None
    return ApplicationError(
        error.message,
        details,
        type=type(error).__name__,
        non_retryable=error.final,
        next_retry_delay=timedelta(seconds=wish) if wish else None,
        category=ApplicationErrorCategory.BENIGN if isinstance(error, NotYet) else ApplicationErrorCategory.UNSPECIFIED,
    )
