"""The wire of the stand-in: requests, pages as GitLab's, and routing on the raw path. Used by every api_* module.

Routed on raw_path because `group%2Fproject` is one path part, which a decoded path cannot tell from two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

import pygit2

from nautes_sandbox.gitlab.instance import Instance
from nautes_sandbox.gitlab.parameters import number
from nautes_sandbox.gitlab.problems import Problem
from nautes_sandbox.gitlab.store import Row, Store

Handler = Callable[..., Any]
PREFIX = "/api/v4"
ACCEPTED = {"message": "202 Accepted"}  # of what is done later


@dataclass
class Reply:
    """A success that is not 200, or has headers, or is not JSON."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """One API request as handlers see it. `user` None = anonymous."""

    instance: Instance
    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    user: Row | None = None
    token: Row | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The database."""
        return self.instance.store

    def repository(self, project: Row) -> pygit2.Repository:
        """The bare repository of a project."""
        return self.instance.repositories.open(project["id"])

    def given(self, *names: str) -> dict[str, Any]:
        """Those of the parameters that were sent."""
        return {name: self.body[name] for name in names if name in self.body}

    def need(self, *names: str) -> list[Any]:
        """Parameters that must be there, in GitLab's words when they are not."""
        missing = [name for name in names if self.body.get(name) in (None, "")]
        if missing:
            raise Problem(400, {"error": ", ".join(f"{name} is missing" for name in missing)})
        return [self.body[name] for name in names]

    def page(self, rows: list[Any], show: Callable[[Any], Any]) -> Reply:
        """One page of a list, with GitLab's headers."""
        if self.query.get("pagination") == "keyset":
            raise Problem(501, {"message": "not implemented by the stand-in: keyset pagination of this list"})
        size = self._size()
        at = max(1, number(self.query.get("page"), 1))
        total, pages = len(rows), max(1, -(-len(rows) // size))
        headers = {
            "x-total": str(total),
            "x-total-pages": str(pages),
            "x-page": str(at),
            "x-per-page": str(size),
            "x-next-page": str(at + 1) if at < pages else "",
            "x-prev-page": str(at - 1) if at > 1 else "",
        }
        links = {"first": 1, "last": pages}
        links |= {"next": at + 1} if at < pages else {}
        links |= {"prev": at - 1} if at > 1 else {}
        base = f"{self.instance.external_url}{self.path}"
        headers["link"] = ", ".join(
            f'<{base}?{urlencode({**self.query, "page": page, "per_page": size})}>; rel="{rel}"'
            for rel, page in links.items()
        )
        return Reply([show(each) for each in rows[(at - 1) * size : at * size]], headers=headers)

    def keyset(self, rows: list[Any], show: Callable[[Any], Any], bound: Callable[[Any], dict[str, str]]) -> Reply:
        """The beginning of what is left of a list; the link leads past its last row, by the parameters `bound` gives.

        As GitLab has it: no totals, and a link as long as there was a row, so the last page may be an empty one.
        """
        page = rows[: self._size()]
        if not page:
            return Reply([])
        query = urlencode({**self.query, **bound(page[-1])})
        return Reply(
            [show(each) for each in page],
            headers={"link": f'<{self.instance.external_url}{self.path}?{query}>; rel="next"'},
        )

    def _size(self) -> int:
        return max(1, min(100, number(self.query.get("per_page"), 20)))


class Router:
    """Routes by method and path parts; `:name` takes one percent-encoded part."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, list[str], Handler]] = []

    def __call__(self, method: str, path: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self._routes.append((method, path.strip("/").split("/"), handler))
            return handler

        return register

    def find(self, method: str, raw_path: str) -> tuple[Handler, dict[str, str]] | None:
        """The handler and its path parameters, or None."""
        parts = raw_path.strip("/").split("/")
        wanted = "GET" if method == "HEAD" else method
        for route_method, pattern, handler in self._routes:
            if route_method == wanted and len(pattern) == len(parts):
                values = _match(pattern, parts)
                if values is not None:
                    return handler, values
        return None


def _match(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    values = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith(":"):
            values[expected[1:]] = unquote(part)
        elif expected != part:
            return None
    return values
