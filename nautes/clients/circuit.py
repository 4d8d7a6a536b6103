"""Leaves a server alone that cannot be reached, so that nothing waits for it in vain. Used by clients, one circuit per server.

After some calls in a row without an answer every call fails at once, for a while that grows; then one call at a time tries
whether the server is back. Any answer, also an error, closes the circuit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nautes.messages.errors import Unavailable

TOLERATED = 3  # calls in a row without an answer
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds
FORGOTTEN = 60.0  # seconds after the last pause; whatever needs the server has tried it by then
SOON = 0.5  # seconds until a call is repeated that found another one trying


class UnansweredError(Exception):
    """Raised within `call` where a server did not answer; `reason` is what callers are told."""

    def __init__(self, reason: Unavailable) -> None:
        super().__init__(reason.message)
        self.reason = reason


class Circuit:
    """Of one server, for many threads. `code` and `name` go into the error of a call that is not made."""

    def __init__(self, code: str, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._code = code
        self._name = name
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self._trying = False
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether the server is left alone now. After a while without any call nobody can tell, and it is not."""
        with self._lock:
            return self._failures >= TOLERATED and self._clock() < self._until + FORGOTTEN

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call. Raises Unavailable without making it while the server is left alone, and for `UnansweredError`."""
        tries = self._begin()
        try:
            yield
        except UnansweredError as error:
            self._end(answered=False, tries=tries)
            raise error.reason from None
        except BaseException:
            self._end(answered=None, tries=tries)
            raise
        self._end(answered=True, tries=tries)

    def _begin(self) -> bool:
        """Whether this call tries if the server is back."""
        with self._lock:
            if self._failures < TOLERATED:
                return False
            left = self._until - self._clock()
            if left > 0 or self._trying:
                text = f"{self._name} did not answer {self._failures} times in a row and is left alone for now"
                raise Unavailable(self._code, text, retry_after=max(left, SOON))
            self._trying = True
            return True

    def _end(self, *, answered: bool | None, tries: bool) -> None:
        with self._lock:
            if tries:
                self._trying = False
            if answered:
                self._failures = 0
            elif answered is False:
                self._failures += 1
                pause = FIRST_PAUSE * 2.0 ** min(self._failures - TOLERATED, 10)
                self._until = self._clock() + min(pause, LONGEST_PAUSE)
