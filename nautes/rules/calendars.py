"""Checks of a calendar event source, as pure functions: each returns what is wrong with a text, "" when nothing is.

Called by the rule `event-source-calendar`.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import available_timezones

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Fields of a cron schedule: what they are called, the least and the greatest value, names for values from the least on.
CRON: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, DAYS),
)
ITEM = r"(?P<all>[*?])|(?P<first>[0-9a-z]{1,3})(-(?P<last>[0-9a-z]{1,3}))?"
EXDATE = "EXDATE:"  # before dates with commas between them
DURATION = r"([0-9]{1,9}(\.[0-9]{1,9})?(ns|us|µs|μs|ms|s|m|h))+"


def schedule(text: str) -> str:
    """A cron schedule of five fields, with lists, ranges, steps and names; no seconds, no @daily."""
    fields = text.split()
    if len(fields) != len(CRON):
        return f"has {len(fields)} fields; a cron schedule has five"
    for field, (what, least, greatest, names) in zip(fields, CRON, strict=True):
        if not all(_is_item(each, least, greatest, names) for each in field.lower().split(",")):
            return f"{field!r} is no {what}"
    return ""


def _is_item(text: str, least: int, greatest: int, names: tuple[str, ...]) -> bool:
    values, slash, step = text.partition("/")
    if slash and not re.fullmatch("[1-9][0-9]?", step):
        return False
    found = re.fullmatch(ITEM, values)
    if found is None or found["all"]:
        return found is not None
    first = _value(found["first"], least, names)
    last = _value(found["last"], least, names) if found["last"] else first
    return least <= first <= last <= greatest


def _value(text: str, least: int, names: tuple[str, ...]) -> int:
    if text in names:
        return least + names.index(text)
    return int(text) if re.fullmatch("[0-9]+", text) else -1


def interval(text: str) -> str:
    """A duration as Go writes them: 90s, 1h30m, 1.5h."""
    if not re.fullmatch(DURATION, text):
        return "is no duration such as 90s, 10m or 1h30m"
    return "" if re.search("[1-9]", text) else "is no time at all"


def exclusion(text: str) -> str:
    """A day that is left out, in ISO 8601 (2026-12-24, 2026-12-24T18:00:00Z) or as the original wants it (RFC 5545, below)."""
    try:
        for each in text.removeprefix(EXDATE).split(","):
            datetime.fromisoformat(each)
    except ValueError:
        return f"is no date or time such as 2026-12-24 or {EXDATE}20261224T180000Z"
    return ""


def timezone(text: str) -> str:
    """A name of the time zone database."""
    return "" if text in _zones() else "is no time zone such as Europe/Berlin"


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
