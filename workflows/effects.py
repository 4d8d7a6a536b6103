"""How every workflow performs an effect: one retry policy, a summary for people, and our own errors back.

Used by all workflow modules. An outage is retried with back-off for as long as it takes (Temporal shows attempt, last
error and next try); a refusal comes back as the `NautesError` that the activity raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar, overload

import pydantic
from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.definitions import answer_of, name_of
    from nautes.messages import errors
    from nautes.messages.errors import NautesError
    from nautes.resources.findings import Finding
    from workflows import bugs, releases
    from workflows.queues import queue_of
    from workflows.timing import timing

Argument = TypeVar("Argument")
Result = TypeVar("Result")

BUG_ATTEMPTS = 7  # some ten seconds: an accident has passed, a bug has not
FIRST_RETRY = timedelta(milliseconds=200)
HANDLED_KEPT = 500  # ids already handled that a long-lived workflow carries over continue-as-new

Compensation = Callable[[], Coroutine[Any, Any, Any]]

PEOPLE = 1  # priority: somebody waits
DEFAULT = 3


@overload
async def perform(
    effect: Callable[[Any, Argument], Coroutine[Any, Any, Result]],
    argument: Argument,
    summary: str,
    *,
    within: float = ...,
    only_looks: bool = ...,
    final: bool = ...,
    timeout: float | None = ...,
) -> Result: ...


@overload
async def perform(
    effect: Callable[[Any, Argument], Result],
    argument: Argument,
    summary: str,
    *,
    within: float = ...,
    only_looks: bool = ...,
    final: bool = ...,
    timeout: float | None = ...,
) -> Result: ...


async def perform(
    effect: Callable[[Any, Argument], Any],
    argument: Argument,
    summary: str,
    *,
    within: float = 60.0,
    only_looks: bool = False,
    final: bool = False,
    timeout: float | None = None,
) -> Any:
    """Run one activity until it succeeds or is refused. A bug stops it until somebody sends `retry` (workflows/bugs.py).

    `within` seconds bound one attempt. A cancelled attempt is waited for until it has stopped, so that what follows (an
    undo, a newer commit) cannot overlap with it; one that `only_looks` is left at once. One that succeeded although it
    was to be cancelled counts as cancelled, unless it is `final`: a step that is not taken back. `timeout` seconds bound
    all attempts; there is no bound as a rule. Raises the `NautesError` of a final refusal, or the last one when timeout
    is at its end.
    """
    failures = 0  # in a row that are no refusal and no outage
    while True:
        try:
            return await _attempt(
                effect, argument, summary, within=within, only_looks=only_looks, final=final, timeout=timeout
            )
        except ActivityError as error:
            if not _is_bug(error):
                raise
            found = str(error.cause)
        except pydantic.ValidationError as error:  # an answer of another release, or of a bug
            found = f"the answer of {name_of(effect)} is not what it should be: {error.error_count()} errors"
        if timeout is not None:
            raise errors.Unavailable("unexpected", found)
        failures += 1
        if failures >= BUG_ATTEMPTS:
            await bugs.stop(summary, found, failures)
        else:
            await workflow.sleep(min(0.2 * 2**failures, timing().retry_maximum))


def _is_bug(error: ActivityError) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.type == errors.UNEXPECTED


async def _attempt(
    effect: Callable[[Any, Argument], Any],
    argument: Argument,
    summary: str,
    *,
    within: float,
    only_looks: bool,
    final: bool,
    timeout: float | None,
) -> Any:
    kind = workflow.ActivityCancellationType
    longest = timedelta(seconds=timing().retry_maximum)
    try:
        result = await workflow.execute_activity(
            name_of(effect),
            argument,
            start_to_close_timeout=timedelta(seconds=within),
            schedule_to_close_timeout=timedelta(seconds=timeout) if timeout is not None else None,
            heartbeat_timeout=timedelta(seconds=timing().heartbeat),
            retry_policy=RetryPolicy(
                initial_interval=min(FIRST_RETRY, longest), backoff_coefficient=2, maximum_interval=longest
            ),
            summary=summary,
            task_queue=queue_of(effect, workflow.info().task_queue),
            cancellation_type=kind.TRY_CANCEL if only_looks else kind.WAIT_CANCELLATION_COMPLETED,
        )
    except ActivityError as error:
        if error.retry_state == RetryState.CANCEL_REQUESTED:
            # It was to be cancelled, and its last attempt failed or its worker died before it could say so.
            raise asyncio.CancelledError from error
        refusal = refused(error) or _timed_out(error, timeout)
        if refusal is None:
            raise
        raise refusal from error
    if not final and _to_be_cancelled():
        raise asyncio.CancelledError
    return answer_of(effect, result)


def _timed_out(error: ActivityError, timeout: float | None) -> NautesError | None:
    if timeout is None or not isinstance(error.cause, TimeoutError):
        return None
    return errors.Unavailable("timeout", f"no answer within {timeout:.0f} s")


def _to_be_cancelled() -> bool:
    """Whether this task was asked to stop while a call was under way that succeeded all the same: asyncio forgets that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def refused(error: BaseException) -> NautesError | None:
    """The error of ours behind an activity's failure, or None (cancelled, timed out, a bug)."""
    cause = error.__cause__ if isinstance(error, ActivityError) else error
    if not isinstance(cause, ApplicationError) or not cause.type:
        return None
    kind = getattr(errors, cause.type, None)
    if not (isinstance(kind, type) and issubclass(kind, NautesError)):
        return None
    details: dict[str, Any] = cause.details[0] if cause.details and isinstance(cause.details[0], dict) else {}
    return _rebuild(kind, details, cause.message)


def _rebuild(kind: type[NautesError], details: dict[str, Any], message: str) -> NautesError:
    code, text = str(details.get("code", kind.__name__.lower())), str(details.get("message", message))
    if issubclass(kind, errors.Unavailable):
        return kind(code, text)
    return kind(code, text, findings=[Finding.model_validate(each) for each in details.get("findings", [])])


def as_failure(error: NautesError) -> ApplicationError:
    """The form in which an update handler may refuse: anything else would park the workflow."""
    details = {
        "code": error.code,
        "message": error.message,
        "findings": [each.model_dump() for each in error.findings],
    }
    return ApplicationError(error.message, details, type=type(error).__name__, non_retryable=error.final)


def require(check: Callable[[Argument], None], argument: Argument) -> None:
    """For validators: what `check` refuses is refused in the form that travels."""
    try:
        check(argument)
    except NautesError as error:
        raise as_failure(error) from error


class Undo:
    """What takes a change back: registered before each step, run newest first, shielded from cancellation."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Compensation]] = []

    def before(self, what: str, how: Compensation) -> None:
        """Register `how` before the step acts: the step may happen by half."""
        self._steps.append((what, how))

    def forget(self, what: str) -> None:
        """The step has not happened: nothing of it is to be taken back."""
        self._steps = [each for each in self._steps if each[0] != what]

    def keep(self) -> None:
        """The point of no return is passed: nothing is taken back any more."""
        self._steps.clear()

    async def run(self) -> list[str]:
        """Take everything back; a compensation that is refused is reported, the rest still runs."""
        return await shielded(self._run())

    async def _run(self) -> list[str]:
        undone = []
        while self._steps:
            what, how = self._steps.pop()
            try:
                found = await how()
            except NautesError as error:
                undone.append(f"could not take back {what}: {error.message}")
            else:
                if found is not False:
                    undone.append(what)
        return undone


async def shielded(work: Coroutine[Any, Any, Result]) -> Result:
    """Await `work` to its end even if the workflow is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise


async def unless(work: Coroutine[Any, Any, None], superseded: Callable[[], bool]) -> bool:
    """Run `work`, but let something newer win over whatever it is waiting for: whether it came to its end. Raises what it raises.

    Superseded, it is cancelled and waited for, and that is no error. Cancelled from outside, it is cancelled and waited for, and
    so is the caller.
    """
    task = asyncio.ensure_future(work)
    try:
        await workflow.wait_condition(lambda: superseded() or task.done())
    except asyncio.CancelledError:
        task.cancel()
        await workflow.wait([task])
        raise
    if not task.done():
        task.cancel()
    try:
        await task
    except BaseException as error:
        if not (superseded() and cancelled(error)):
            raise
        return False
    return True


def cancelled(error: BaseException) -> bool:
    """Whether `error` means that somebody cancelled us (also while waiting, where it is no `Exception`)."""
    return isinstance(error, asyncio.CancelledError) or is_cancelled_exception(error)


def remember(handled: list[str], key: str) -> bool:
    """Note `key` as handled; False when it already was. Keeps the newest `HANDLED_KEPT`."""
    if key in handled:
        return False
    handled.append(key)
    del handled[:-HANDLED_KEPT]
    return True


def should_continue_as_new() -> bool:
    """Whether to start a fresh run with the same state: history has grown enough, or another build is to go on."""
    info = workflow.info()
    grown = info.is_continue_as_new_suggested() or info.get_current_history_length() > timing().events_kept
    return grown or releases.due()


def fairness(key: str, *, waiting: bool = False) -> Priority:
    """Shares task queues fairly between products or clusters; people who wait go first."""
    return Priority(priority_key=PEOPLE if waiting else DEFAULT, fairness_key=key[:64])


def now() -> str:
    """Workflow time, RFC 3339 in UTC."""
    return workflow.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
