"""The outbox of a product: whatever is delivered when, each watcher hears each push once and in order."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nautes.messages.gitlab import Push
from nautes.messages.products import Watch
from tests.workflow.answers import push
from workflows.outbox import Outbox

WATCHERS = [f"deployment/shop/{name}" for name in "abcd"]
watches = st.lists(st.builds(Watch, workflow=st.sampled_from(WATCHERS), project_id=st.integers(1, 3)), max_size=8)
# How many are notified before the next push comes; None: the run ends, and another takes over.
steps = st.lists(st.one_of(st.none(), st.integers(1, 4)), max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(watches, st.lists(st.tuples(st.integers(1, 3), steps), max_size=10))
def test_each_watcher_hears_each_push_once_and_in_order(
    follow: list[Watch], life: list[tuple[int, list[int | None]]]
) -> None:
    outbox, heard, due = Outbox(), _nobody(), _nobody()
    for project, between in life:
        news = push(project)
        outbox.add(follow, news)
        for watcher in {each.workflow for each in follow if each.project_id == project}:
            due[watcher].append(news)
        for limit in between:
            outbox = _step(outbox, heard, limit)
    while outbox:
        assert len(outbox) == sum(map(len, due.values())) - sum(map(len, heard.values()))
        outbox = _step(outbox, heard, 3)
    assert heard == due


def _nobody() -> dict[str, list[Push]]:
    return {each: [] for each in WATCHERS}


def _step(outbox: Outbox, heard: dict[str, list[Push]], limit: int | None) -> Outbox:
    if limit is None:
        return Outbox(outbox.left())
    now = outbox.next(limit)
    assert len(now) <= limit
    for watcher, news in now.items():
        heard[watcher].append(news)
    outbox.delivered(now)
    return outbox
