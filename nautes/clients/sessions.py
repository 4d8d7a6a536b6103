"""HTTP sessions that are kept open between calls, each used by one call at a time. Used by the clients of GitLab and Vault.

Every call is counted and timed (nautes/telemetry/metrics.py).

A `requests.Session` is not made for several threads; one for each thread would open a connection, and log in, for every
short-lived thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from nautes.telemetry.metrics import Calls


class Sessions:
    """`judge` is called with every answer before anybody else reads it. Safe for many threads.

    `system` is whose sessions they are, for the metrics.
    """

    def __init__(self, judge: Callable[..., None] | None = None, *, system: str = "gitlab") -> None:
        self._judge = judge
        self._calls = Calls(system)
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
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Counting(self._calls))
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if self._judge:
            session.hooks["response"].append(self._judge)
        return session


class _Counting(HTTPAdapter):
    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls

    def send(self, *arguments: Any, **more: Any) -> requests.Response:
        began = time.perf_counter()
        try:
            response = super().send(*arguments, **more)
        except requests.RequestException:
            self._calls.unanswered(began)
            raise
        self._calls.answered(response.status_code, began)
        return response
