"""The feed of pushes is read to where the last walk had begun, whatever GitLab hides, cuts, shows late or limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.testing import ActivityEnvironment

from activities.feed import FeedActivities
from nautes.clients.gitlab import GitLab
from nautes.messages.errors import Forbidden, Unavailable
from nautes.messages.gitlab import FeedCursor, FeedInput, FeedPage

START = datetime(2026, 11, 1, tzinfo=UTC)
SIZE = 100


@dataclass
class Feed:
    """A GitLab that cuts a page first and drops what is hidden afterwards."""

    events: list[dict[str, Any]] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    limited: set[int] = field(default_factory=set)  # numbers of the calls that are answered with 429
    gone: set[int] = field(default_factory=set)

    def add(self, count: int, *, project: int = 7, hidden: bool = False, seconds: float = 1.0) -> list[str]:
        commits = []
        for _ in range(count):
            number = len(self.events) + 1
            made = START + timedelta(seconds=seconds * number)
            data = {
                "ref": "main",
                "ref_type": "branch",
                "commit_from": f"{number - 1:040}",
                "commit_to": f"{number:040}",
            }
            event = {"id": number, "project_id": project, "push_data": data, "created_at": made.isoformat()}
            self.events.append(event)
            self.hidden |= {number} if hidden else set()
            commits.append(data["commit_to"])
        return commits

    def page(self, _: str, number: int, **__: Any) -> tuple[list[dict[str, Any]], int]:
        self._count("pages")
        ordered = self.events[::-1]
        cut = ordered[(number - 1) * SIZE : number * SIZE]
        following = number + 1 if number * SIZE < len(ordered) else 0
        return [each for each in cut if each["id"] not in self.hidden], following

    def find(self, path: str) -> dict[str, Any] | None:
        self._count("projects")
        number = int(path.rpartition("/")[2])
        if number in self.gone:
            raise Forbidden("gitlab-forbidden", "it is not yours any more")
        return {"path_with_namespace": f"shop/p{number}"}

    def _count(self, what: str) -> None:
        self.calls[what] += 1
        if self.calls.total() in self.limited:
            raise Unavailable("gitlab-rate-limited", "GitLab asks to wait", retry_after=60)


def _walk(feed: Feed, cursor: FeedCursor) -> tuple[list[str], FeedCursor]:
    """The commits that a walk of the sweep announces, and the cursor after it (as workflows/sweeps.py does it)."""
    reader = FeedActivities(cast("GitLab", feed))
    commits, newest, at, recent, page = list[str](), cursor.newest, cursor.at, list(cursor.recent), 1
    while page:
        found = _retried(reader, FeedInput(cursor=cursor, page=page))
        if found.newest > newest:
            newest, at = found.newest, found.at
        commits += [each.after for each in found.pushes]
        recent += found.events
        page = found.following
    floor = cursor.floor if cursor.read else newest
    return commits, FeedCursor(read=True, floor=floor, newest=newest, at=at, recent=sorted(set(recent))[-1000:])


def _retried(reader: FeedActivities, input: FeedInput) -> FeedPage:
    """An activity that is repeated with what its last attempt left in the heartbeat."""
    details: list[Any] = []
    for _ in range(500):
        environment = ActivityEnvironment()
        environment.info = environment.default_info().__class__(
            **{**environment.default_info().__dict__, "heartbeat_details": details}
        )
        environment.on_heartbeat = lambda *beat: details.__setitem__(slice(None), list(beat))
        try:
            return cast("FeedPage", environment.run(reader.feed, input))
        except Unavailable:
            continue
    raise AssertionError("it never comes to an end")


def test_what_was_there_before_the_first_look_is_not_announced_and_what_comes_is() -> None:
    feed = Feed()
    feed.add(250)
    commits, cursor = _walk(feed, FeedCursor())
    assert (commits, feed.calls["pages"]) == ([], 1)
    assert _walk(feed, cursor)[0] == []
    new = feed.add(3)
    commits, cursor = _walk(feed, cursor)
    assert commits == new
    assert _walk(feed, cursor)[0] == []


def test_the_first_push_to_an_empty_gitlab_is_announced() -> None:
    feed = Feed()
    _, cursor = _walk(feed, FeedCursor())
    new = feed.add(1)
    assert _walk(feed, cursor)[0] == new


@given(st.lists(st.tuples(st.integers(1, 260), st.booleans()), min_size=1, max_size=8))
def test_every_push_that_may_be_seen_is_announced_once_and_none_that_is_hidden(groups: list[tuple[int, bool]]) -> None:
    feed = Feed()
    feed.add(150)
    _, cursor = _walk(feed, FeedCursor())
    wanted = list[str]()
    for count, hidden in groups:
        commits = feed.add(count, hidden=hidden)
        wanted += [] if hidden else commits
    found, cursor = _walk(feed, cursor)
    assert sorted(found) == sorted(wanted)
    assert _walk(feed, cursor)[0] == []


def test_an_event_that_becomes_visible_late_is_announced_once() -> None:
    feed = Feed()
    feed.add(150)
    _, cursor = _walk(feed, FeedCursor())
    (late,) = feed.add(1, hidden=True)
    new = feed.add(5)
    found, cursor = _walk(feed, cursor)
    assert found == new
    feed.hidden.clear()
    found, cursor = _walk(feed, cursor)
    assert found == [late]
    assert _walk(feed, cursor)[0] == []


def test_a_quiet_look_is_one_call() -> None:
    feed = Feed()
    feed.add(5_000, seconds=60)
    _, cursor = _walk(feed, FeedCursor())
    feed.calls.clear()
    assert _walk(feed, cursor)[0] == []
    assert feed.calls == {"pages": 1}


def test_a_project_is_looked_up_once_a_page_and_one_that_is_hidden_costs_the_others_nothing() -> None:
    feed = Feed(gone={8})
    feed.add(10)
    _, cursor = _walk(feed, FeedCursor())
    feed.calls.clear()
    new = feed.add(40, project=7)
    feed.add(10, project=8)
    assert _walk(feed, cursor)[0] == new
    assert feed.calls == {"pages": 1, "projects": 2}


@pytest.mark.parametrize("every", [3, 4, 7])
def test_a_limited_rate_delays_and_loses_nothing(every: int) -> None:
    feed = Feed()
    feed.add(10)
    _, cursor = _walk(feed, FeedCursor())
    wanted = [commit for number in range(90) for commit in feed.add(1, project=100 + number)]
    feed.calls.clear()
    feed.limited = set(range(every, 10_000, every))
    assert _walk(feed, cursor)[0] == wanted
    assert feed.calls["projects"] < 200, "an attempt goes on where the last one ended"
