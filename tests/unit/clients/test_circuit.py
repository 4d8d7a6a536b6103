"""A server that does not answer is left alone, longer each time, and tried by one call at a time."""

from __future__ import annotations

import pytest

from nautes.clients.circuit import FIRST_PAUSE, LONGEST_PAUSE, TOLERATED, Circuit, UnansweredError
from nautes.messages.errors import Forbidden, Unavailable


class Clock:
    """Seconds, which a test lets pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _fails(circuit: Circuit) -> None:
    with pytest.raises(Unavailable, match="no route"), circuit.call():
        raise UnansweredError(Unavailable("away", "no route"))


def _is_left_alone(circuit: Circuit) -> None:
    with pytest.raises(Unavailable, match=r"edge did not answer .* is left alone for now") as error, circuit.call():
        raise AssertionError("the call is not made")
    assert error.value.code == "away"
    assert error.value.retry_after and error.value.retry_after <= LONGEST_PAUSE


def test_a_server_that_does_not_answer_is_left_alone_longer_each_time() -> None:
    clock = Clock()
    circuit = Circuit("away", "edge", clock)
    for _ in range(TOLERATED):
        _fails(circuit)
    for times in range(8):
        _is_left_alone(circuit)
        clock.now += min(FIRST_PAUSE * 2**times, LONGEST_PAUSE)
        _fails(circuit)
    clock.now += LONGEST_PAUSE
    with circuit.call():
        pass
    for _ in range(TOLERATED - 1):
        _fails(circuit)
    with circuit.call():
        pass


def test_one_call_at_a_time_tries_whether_the_server_is_back() -> None:
    clock = Clock()
    circuit = Circuit("away", "edge", clock)
    for _ in range(TOLERATED):
        _fails(circuit)
    clock.now += FIRST_PAUSE
    with circuit.call():
        _is_left_alone(circuit)
    with circuit.call(), circuit.call():
        pass


def test_an_answer_that_is_an_error_is_an_answer_and_a_trial_that_tells_nothing_is_followed_by_another() -> None:
    clock = Clock()
    circuit = Circuit("away", "edge", clock)
    for _ in range(TOLERATED):
        _fails(circuit)
    clock.now += FIRST_PAUSE
    with pytest.raises(Forbidden), circuit.call():
        raise Forbidden("no", "not yours")
    with circuit.call():
        pass


def test_failures_with_answers_between_them_are_no_outage() -> None:
    circuit = Circuit("away", "edge", Clock())
    for _ in range(3 * TOLERATED):
        _fails(circuit)
        with circuit.call():
            pass
