"""The task queues: one for workflows and what is quick, and one per outside system. Who polls them is decided by worker.py.

The queues of activities are named after the one of the workflows: `nautes`, `nautes/gitlab`, `nautes/clusters`, `nautes/observe`.
"""

from __future__ import annotations

from nautes.messages import ids

GITLAB, CLUSTERS, OBSERVE = "gitlab", "clusters", "observe"
ACTIVITIES = (GITLAB, CLUSTERS, OBSERVE)


def named(kind: str, workflows: str = ids.TASK_QUEUE) -> str:
    """The full name of a queue; "" is the one of the workflows."""
    return f"{workflows}/{kind}" if kind else workflows


ALL = tuple(named(each) for each in ("", *ACTIVITIES))


def types(queue: str) -> tuple[str, ...]:
    """What is polled for on a queue: only one of them holds workflows."""
    return ("activity",) if "/" in queue else ("workflow", "activity")
