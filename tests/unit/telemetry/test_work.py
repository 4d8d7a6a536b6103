"""A queue whose slots are all taken is busy as long as tasks end, and stuck when none does for a minute."""

from __future__ import annotations

import pytest

from nautes.telemetry.checks import NotReadyError
from nautes.telemetry.queues import Tasks
from nautes.telemetry.sdk import SdkMetrics
from nautes.telemetry.work import STUCK, Work, slots

ACTIVITIES, WORKFLOWS = Tasks("nautes", "activity"), Tasks("nautes", "workflow")


def text(free: int, ended: int, failed: int = 0, queue: str = "nautes") -> str:
    """What the SDK says of one queue, and of another one that is always free."""
    return f"""# HELP temporal_worker_task_slots_available Current number of available slots per task type
# TYPE temporal_worker_task_slots_available gauge
temporal_worker_task_slots_available{{namespace="default",task_queue="{queue}",worker_type="ActivityWorker"}} {free}
temporal_worker_task_slots_available{{namespace="default",task_queue="{queue}",worker_type="LocalActivityWorker"}} 100
temporal_worker_task_slots_available{{namespace="default",task_queue="other",worker_type="ActivityWorker"}} 7
temporal_activity_execution_latency_seconds_bucket{{activity_type="a",task_queue="{queue}",le="0.1"}} {ended}
temporal_activity_execution_latency_seconds_count{{activity_type="a",task_queue="{queue}"}} {ended}
temporal_activity_execution_latency_seconds_count{{activity_type="b",task_queue="{queue}"}} 3
temporal_activity_execution_latency_seconds_count{{activity_type="b",task_queue="other"}} 50
temporal_activity_execution_failed_total{{activity_type="b",task_queue="{queue}"}} {failed}
temporal_sticky_cache_size{{namespace="default"}} 12
"""


class _Client:
    identity = "1@here"


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def work(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setattr(SdkMetrics, "__init__", lambda self: None)
    return Work(_Client(), SdkMetrics(), ["nautes"], lambda: clock[0])  # type: ignore[arg-type]


def test_slots_and_ended_tasks_are_those_of_the_queue_and_the_type() -> None:
    assert slots(ACTIVITIES, text(4, 10, 2)) == (4, 15)
    assert slots(Tasks("other", "activity"), text(4, 10)) == (7, 50)
    assert slots(WORKFLOWS, text(4, 10)) == (0, 0)


def test_a_queue_with_a_free_slot_is_fine_however_long_nothing_ends(work: Work, clock: list[float]) -> None:
    for clock[0] in (0.0, STUCK, 100 * STUCK):
        work.judge(ACTIVITIES, text(1, 10))


def test_a_full_queue_is_stuck_when_nothing_ends(work: Work, clock: list[float]) -> None:
    work.judge(ACTIVITIES, text(1, 10))
    clock[0] = 100 * STUCK
    work.judge(ACTIVITIES, text(0, 11))  # it has become full only now, and something has ended since
    clock[0] += STUCK - 1
    work.judge(ACTIVITIES, text(0, 11))
    clock[0] += 1
    with pytest.raises(NotReadyError, match="no slot is free for activity tasks, and none has ended for 60 s"):
        work.judge(ACTIVITIES, text(0, 11))


@pytest.mark.parametrize("progress", [{"ended": 12}, {"ended": 11, "failed": 1}])
def test_a_full_queue_is_busy_while_tasks_end_whichever_way(
    work: Work, clock: list[float], progress: dict[str, int]
) -> None:
    work.judge(ACTIVITIES, text(0, 11))
    clock[0] = STUCK
    work.judge(ACTIVITIES, text(0, **progress))
    clock[0] = 2 * STUCK - 1
    work.judge(ACTIVITIES, text(0, **progress))


def test_a_worker_that_has_just_started_full_is_given_its_time(work: Work, clock: list[float]) -> None:
    clock[0] = 1_000.0
    work.judge(ACTIVITIES, text(0, 0))
