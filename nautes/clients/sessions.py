"""HTTP sessions that are kept open between calls, each used by one call at a time. Used by the clients of GitLab and Vault.

A `requests.Session` is not made for several threads; one for each thread would open a connection, and log in, for every
short-lived thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy

import requests


class Sessions:
    """`judge` is called with every answer before anybody else reads it. Safe for many threads."""

    def __init__(self, judge: Callable[..., None] | None = None) -> None:
        self._judge = judge
        self._idle: list[requests.Session] = []

    @contextmanager
    def one(self) -> Iterator[requests.Session]:
        """A session for one call."""
        try:
            session = self._idle.pop()  # the one used last: its connection is the most likely to be open still
        except IndexError:
            session = self._new()
        try:
            yield session
        finally:
            self._idle.append(session)

    def _new(self) -> requests.Session:
        session = requests.Session()
        # A session serves one caller after another: no answer to one may identify the next.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if self._judge:
            session.hooks["response"].append(self._judge)
        return session
