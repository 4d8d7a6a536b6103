"""The platform stays below GitLab's rate limits, and waits as a whole when GitLab asks for it."""

from __future__ import annotations

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from nautes.clients.gitlab import UNREACHABLE, GitLab
from nautes.clients.pace import LIMITED, LONGEST, UNKNOWN, UNKNOWN_LONGEST, Pace
from nautes.clients.sessions import Sessions
from nautes.messages.errors import Unavailable


class Clock:
    """Seconds, which a test lets pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _allowed(pace: Pace, path: str) -> bool:
    try:
        pace.before("GET", path)
    except Unavailable as error:
        assert error.code == LIMITED
        assert error.retry_after and error.retry_after > 0
        return False
    return True


@given(st.lists(st.floats(min_value=0, max_value=5), min_size=300, max_size=900))
def test_in_no_minute_more_than_the_share_is_called(pauses: list[float]) -> None:
    clock, made = Clock(), list[float]()
    pace = Pace(0.5, clock)
    for pause in pauses:
        clock.now += pause / 100
        if _allowed(pace, "/projects/7"):
            made.append(clock.now)
    for end in made:
        assert sum(end - 60 < each <= end for each in made) <= 200


def test_what_is_refused_names_the_time_when_it_is_allowed_again() -> None:
    clock = Clock()
    pace = Pace(0.9, clock)
    assert all(_allowed(pace, "/groups/7") for _ in range(360))
    clock.now = 20
    with pytest.raises(Unavailable, match=r"used up until 20\d\d-.* \(rate limit\)") as error:
        pace.before("GET", "/groups/7")
    assert error.value.retry_after == pytest.approx(40)
    assert _allowed(pace, "/projects/7"), "each endpoint has its own limit"
    assert _allowed(pace, "/groups/7/members/all/3"), "most have none"
    clock.now = 60.1
    assert _allowed(pace, "/groups/7")


def test_without_a_share_nothing_is_counted() -> None:
    pace = Pace(0.0, Clock())
    assert all(_allowed(pace, "/projects/7") for _ in range(5_000))


def test_a_wish_of_gitlab_holds_for_every_call_and_the_longest_one_counts() -> None:
    clock = Clock()
    pace = Pace(0.0, clock)
    assert pace.refused(30.0) == 30.0
    assert not _allowed(pace, "/version")
    clock.now = 30.0
    assert _allowed(pace, "/version")


def test_a_refusal_that_names_no_time_is_waited_out_longer_each_time_until_an_answer() -> None:
    pace = Pace(0.0, Clock())
    assert [pace.refused(None) for _ in range(9)] == [*(UNKNOWN * 2**each for each in range(6)), *[UNKNOWN_LONGEST] * 3]
    pace.answered()
    assert pace.refused(None) == UNKNOWN


def test_a_wish_for_a_day_is_named_and_asked_again_within_the_hour() -> None:
    clock = Clock()
    pace = Pace(0.0, clock)
    assert pace.refused(86_400.0) == 86_400.0
    clock.now = LONGEST
    assert _allowed(pace, "/projects/7")


class Answers(requests.adapters.BaseAdapter):
    """Plays GitLab: each call takes the next answer; an exception is a broken connection."""

    def __init__(self, *answers: int | Exception, retry_after: str = "") -> None:
        super().__init__()
        self.answers = list(answers)
        self.calls = 0
        self._retry_after = retry_after

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code, response.url, response.request = answer, str(request.url), request
        response._content = b"{}"
        response.headers.update({"Content-Type": "application/json"})
        if answer == 429 and self._retry_after:
            response.headers["Retry-After"] = self._retry_after
        return response

    def close(self) -> None:
        """Nothing is held."""


class _Sessions(Sessions):
    def __init__(self, adapter: Answers) -> None:
        from nautes.clients.gitlab import judge

        super().__init__(judge)
        self._adapter = adapter

    def _new(self) -> requests.Session:
        session = super()._new()
        session.mount("http://", self._adapter)
        return session


def _gitlab(answers: Answers, clock: Clock) -> GitLab:
    return GitLab("http://gitlab.test", "token", sessions=_Sessions(answers), pace=Pace(0.9, clock))


def test_after_one_refusal_for_the_rate_no_call_is_made_before_its_time() -> None:
    clock, answers = Clock(), Answers(429, retry_after="17")
    gitlab = _gitlab(answers, clock)
    for path in ("/projects/7", "/version", "/groups/3"):
        with pytest.raises(Unavailable, match="GitLab asks to wait until") as error:
            gitlab.get(path)
        assert (error.value.code, error.value.retry_after) == (LIMITED, pytest.approx(17))
    assert answers.calls == 1
    clock.now = 17.0
    assert gitlab.get("/version") == {}


def test_a_gitlab_that_does_not_answer_is_left_alone() -> None:
    answers = Answers(*[requests.ConnectionError("refused") for _ in range(10)])
    gitlab = _gitlab(answers, Clock())
    for _ in range(6):
        with pytest.raises(Unavailable) as error:
            gitlab.get("/version")
        assert error.value.code == UNREACHABLE
    assert answers.calls == 3
    assert "left alone" in str(error.value)


def test_an_answer_of_any_kind_shows_that_it_is_there() -> None:
    answers = Answers(*[each for _ in range(5) for each in (requests.ConnectionError("refused"), 404)])
    gitlab = _gitlab(answers, Clock())
    for _ in range(5):
        with pytest.raises(Unavailable):
            gitlab.get("/version")
        assert gitlab.find("/groups/none") is None
    assert answers.calls == 10
