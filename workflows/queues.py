"""On which task queue an activity runs: one per outside system, so that one which does not answer takes no slots of the others.

The queues of activities are named after the one of the workflow: `nautes` for workflows and what is quick, `nautes/gitlab`,
`nautes/clusters` and `nautes/observe`. A worker serves all of them, or those that `--queues` names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.definitions import name_of
from nautes.messages.queues import ACTIVITIES, CLUSTERS, GITLAB, OBSERVE, named

__all__ = ["ACTIVITIES", "BY_SYSTEM", "CLUSTERS", "GITLAB", "OBSERVE", "named", "queue_of"]

BY_SYSTEM = {  # first part of an activity's name -> queue; the others run beside the workflows
    "git": GITLAB,
    "gitlab": GITLAB,
    "products": GITLAB,
    "repositories": GITLAB,
    "clusters": CLUSTERS,
    "components": CLUSTERS,
    "kubernetes": CLUSTERS,
    "runtimes": CLUSTERS,
    "tekton": CLUSTERS,
    "virtual": CLUSTERS,
    "observer": OBSERVE,
}


def queue_of(effect: Callable[..., Any], workflows: str) -> str:
    """The task queue of an activity, where `workflows` is the one of the workflow that calls it."""
    return named(BY_SYSTEM.get(name_of(effect).partition(".")[0], ""), workflows)
