"""Which queues a worker serves, and that every activity has one."""

from __future__ import annotations

import pytest

from activities.definitions import name_of
from tests.workflow.fakes import CLASSES
from worker import arguments
from workflows.queues import ACTIVITIES, BY_SYSTEM, named, queue_of


def test_a_worker_serves_all_queues_or_those_it_is_given() -> None:
    assert arguments([]) == ["", *ACTIVITIES]
    assert arguments(["--queues", "workflows, observe"]) == ["", "observe"]


@pytest.mark.parametrize("given", ["", "nothing", "gitlab,nothing"])
def test_a_queue_that_is_not_there_is_refused(given: str) -> None:
    with pytest.raises(SystemExit):
        arguments(["--queues", given])


def test_an_activity_waits_in_the_queue_of_its_system_named_after_the_one_of_its_workflow() -> None:
    names = {
        name_of(each)
        for cls in CLASSES
        for each in vars(cls).values()
        if hasattr(each, "__temporal_activity_definition")
    }
    systems = {each.partition(".")[0] for each in names}
    assert BY_SYSTEM.keys() <= systems, "a queue for what is no activity"
    assert systems - BY_SYSTEM.keys() == {"claims", "control", "vault"}
    assert named("gitlab", "nautes") == "nautes/gitlab"
    assert {
        queue_of(each, "nautes")
        for cls in CLASSES
        for each in vars(cls).values()
        if hasattr(each, "__temporal_activity_definition")
    } == {"nautes", *(f"nautes/{each}" for each in ACTIVITIES)}
