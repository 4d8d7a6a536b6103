"""Reads GitLab's feed of events for pushes that no webhook reported. Called by the sweep (workflows/sweeps.py), one page a call.

GitLab cuts a page first and drops what the caller may not see afterwards: a page may be short, or empty, though more follow.
Events become visible in another order than that of their ids. So a walk goes on until it has seen an event from before the
last walk and some time more, and ids that were announced lately are remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity

from nautes.clients.gitlab import GitLab
from nautes.messages.errors import Forbidden
from nautes.messages.gitlab import FeedInput, FeedPage, Push, push_event

ZERO = "0" * 40
OVERLAP = timedelta(minutes=2)  # how late an event may become visible


class FeedActivities:
    """With the platform's own account, which is a member of every product's group."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab

    @activity.defn(name="gitlab.feed")
    def feed(self, input: FeedInput) -> FeedPage:
        """One page of pushes. Idempotent: it only looks. A feed that was never read is read only to where it ends now.

        Projects that were looked up are kept in the heartbeat, so that an attempt which a rate limit ended is continued.
        """
        cursor = input.cursor
        events, following = self._gitlab.page("/events", input.page, scope="all", action="pushed")
        fresh = [each for each in events if cursor.read and _is_news(each, input)]
        newest: dict[str, Any] = max(events, key=lambda each: int(each["id"]), default={})
        over = not cursor.read or any(_is_old(each, input) for each in events)
        return FeedPage(
            pushes=self._pushes(fresh),
            events=[int(each["id"]) for each in fresh],
            newest=int(newest.get("id", 0)),
            at=str(newest.get("created_at") or ""),
            following=0 if over else following,
        )

    def _pushes(self, events: list[Any]) -> list[Push]:
        paths = self._paths({int(each["project_id"]) for each in events})
        found = [push for each in reversed(events) for push in self._of(each, paths)]
        return list({push.event: push for push in found}.values())

    def _paths(self, projects: Iterable[int]) -> Mapping[int, str]:
        """Full paths of projects, one look-up each; "" for those that are gone or hidden."""
        kept = activity.info().heartbeat_details if activity.in_activity() else ()
        paths = {int(number): str(path) for number, path in (kept[0] if kept else {}).items()}
        for number in sorted(set(projects) - paths.keys()):
            try:
                project = self._gitlab.find(f"/projects/{number}")
            except Forbidden:
                project = None
            paths[number] = str(project["path_with_namespace"]) if project else ""
            if activity.in_activity():
                activity.heartbeat({str(key): value for key, value in paths.items()})
        return paths

    def _of(self, event: Any, paths: Mapping[int, str]) -> list[Push]:
        number, data = int(event["project_id"]), event.get("push_data") or {}
        path = paths[number]
        if not path:
            return []
        if data.get("ref"):
            before, after = data.get("commit_from") or ZERO, data.get("commit_to") or ZERO
            return [_push(number, path, str(data.get("ref_type", "branch")), str(data["ref"]), before, after)]
        # Many refs at once: the feed names none of them, so every branch is looked at.
        branches = self._gitlab.pages(f"/projects/{number}/repository/branches")
        return [_push(number, path, "branch", each["name"], "", each["commit"]["id"]) for each in branches]


def _is_news(event: Any, input: FeedInput) -> bool:
    """Newer than the last walk, or made shortly before its end and not announced by it."""
    number = int(event["id"])
    if number > input.cursor.newest:
        return True
    return number > input.cursor.floor and number not in input.cursor.recent and not _is_old(event, input)


def _is_old(event: Any, input: FeedInput) -> bool:
    """From so long before the end of the last walk that whatever lies behind it was announced."""
    if int(event["id"]) > input.cursor.newest:
        return False
    if int(event["id"]) <= input.cursor.floor:
        return True
    made, end = _time(event.get("created_at")), _time(input.cursor.at)
    return made is None or end is None or made < end - OVERLAP


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None


def _push(project_id: int, path: str, kind: str, name: str, before: str, after: str) -> Push:
    tag = kind == "tag"
    ref = f"refs/{'tags' if tag else 'heads'}/{name}"
    return Push(
        event=push_event(project_id, ref, before, after),
        project_id=project_id,
        repository=path,
        ref=ref,
        before=before,
        after=after,
        kind="tag_push_events" if tag else "push_events",
    )
