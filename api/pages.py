"""Pages of a list that is sorted by name. A cursor names the commit the list began at and the last name that was shown. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from dataclasses import dataclass
from typing import TypeVar

from nautes.messages.errors import Refused

PAGE = 100
ALL = 10_000  # items, when no page is asked for
Found = TypeVar("Found")


@dataclass(frozen=True)
class Cursor:
    """Where the next page begins."""

    commit: str
    after: str

    def text(self) -> str:
        """The cursor as text, opaque to clients."""
        return base64.urlsafe_b64encode(json.dumps([self.commit, self.after]).encode()).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> Cursor:
        """Reads a cursor. Raises Refused for an invalid one."""
        try:
            commit, after = json.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
        except (ValueError, TypeError, binascii.Error, RecursionError):
            commit = after = None
        if not isinstance(commit, str) or not isinstance(after, str):
            raise Refused("cursor-invalid", "that is no cursor of this list")
        return cls(commit, after)


def page(
    names: list[str], items: list[Found], commit: str, limit: int | None, cursor: Cursor | None
) -> tuple[list[Found], str | None]:
    """Items of a page and the cursor of the next; `names` are those of the items, sorted."""
    size = limit or (PAGE if cursor else ALL)
    start = bisect_right(names, cursor.after) if cursor else 0
    end = start + size
    following = Cursor(commit, names[end - 1]).text() if end < len(items) else None
    return items[start:end], following
