"""What calendars may say: schedules as cron, intervals as Go, dates as ISO 8601, time zones as the database has them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.rules.calendars import exclusion, interval, schedule, timezone

GOOD: list[tuple[Callable[[str], str], list[str]]] = [
    (schedule, ["* * * * *", "*/5 0-23/2 1,15 jan-mar mon-fri", "0 4 ? * SUN", "59 23 31 12 7", " 0  1 * * * "]),
    (interval, ["1s", "90s", "1h30m", "1.5h", "100ms", "3us", "3µs"]),
    (exclusion, ["2026-12-24", "2026-12-24T18:00:00Z", "2026-12-24T18:00:00+01:00", "20261224", "20261224T180000Z"]),
    (exclusion, ["EXDATE:20261224T180000Z", "EXDATE:20261224T180000Z,20261231T180000Z"]),
    (timezone, ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Asia/Shanghai"]),
]
BAD: list[tuple[Callable[[str], str], list[str]]] = [
    (schedule, ["", "@daily", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *"]),
    (schedule, ["* * * * 8", "5-1 * * * *", "*/0 * * * *", "a * * * *", "1, * * * *", "* * * mon *", "-1 * * * *"]),
    (schedule, ["*/ * * * *", "1-2-3 * * * *", "* * * foo-mar *", "٣ * * * *", "1/x * * * *"]),
    (interval, ["", "90", "1d", "-1h", "0s", "0h0m", "1h 30m", "h", "1.h", "٣s"]),
    (
        exclusion,
        ["", "24.12.2026", "2026-13-01", "tomorrow", "2026-12-24 25:00", "EXDATE:", "EXDATE:20261224T180000Z,"],
    ),
    (timezone, ["", "Europe/Nowhere", "../UTC", "/etc/localtime", "CEST+1", "europe/berlin"]),
]


@pytest.mark.parametrize(("check", "text"), [(check, text) for check, texts in GOOD for text in texts])
def test_what_the_original_system_takes_is_taken(check: Callable[[str], str], text: str) -> None:
    assert check(text) == ""


@pytest.mark.parametrize(("check", "text"), [(check, text) for check, texts in BAD for text in texts])
def test_what_would_never_happen_is_refused(check: Callable[[str], str], text: str) -> None:
    assert check(text)


@given(st.text(max_size=40))
def test_no_text_makes_a_check_raise(text: str) -> None:
    for check in (schedule, interval, exclusion, timezone):
        assert isinstance(check(text), str)
