"""Every call the main process makes fails: before it takes effect, after, or with the worker killed at that moment.

Each time everything ends as in a run without faults: the same groups, repositories, commits, keys, hooks, secrets, policies,
roles and objects, nothing twice, nothing left over. `make fault` fails every call; otherwise a fixed sample of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from nautes.resources.fields import differences
from tests.fault import state
from tests.fault.faulty import Faulty
from tests.fault.plan import Mode, Signature
from tests.worlds import best_flavour

MODES: tuple[Mode, ...] = ("before", "after", "kill")
ROUNDS = 4  # runs per mode: the same call does not fail twice in a row, so one run cannot fail them all
EVERY_WRITE, EVERY_READ = 6, 60  # the fixed sample: one call in so many
ALL = os.environ.get("NAUTES_FAULTS") == "all"

pytestmark = [pytest.mark.xdist_group("fault"), pytest.mark.timeout(3600 if ALL else 600)]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    found = Faulty(tmp_path_factory.mktemp("fault") / "world", best_flavour())
    try:
        yield found.start()
    finally:
        found.stop()


@pytest.fixture(scope="module")
def clean(faulty: Faulty) -> tuple[state.States, list[Signature]]:
    """What a run without faults ends in, and the calls it makes."""
    states = faulty.run({}, state.of)
    return states, list(dict.fromkeys(faulty.plan.seen))


def test_everything_ends_the_same_whatever_fails(faulty: Faulty, clean: tuple[state.States, list[Signature]]) -> None:
    states, calls = clean
    if not ALL:
        wanted = _sample(calls)
        _require_same(faulty.run(wanted, state.of), states)
        assert len(faulty.plan.hit) > len(wanted) / 2
        _tell(f"{len(faulty.plan.hit)} of a sample of {len(wanted)} calls failed; {faulty.kills} kills")
        return
    for mode in MODES:
        began, kills, left = time.monotonic(), faulty.kills, set(calls)
        for number in range(ROUNDS):
            if left:
                _require_same(faulty.run(dict.fromkeys(left, mode), state.of), states, f"{mode}, run {number + 1}")
                left -= faulty.plan.hit
        minutes = (time.monotonic() - began) / 60
        _tell(
            f"{mode}: {len(calls) - len(left)} cases of {len(calls)} calls ({len(left)} did not occur again), "
            f"{faulty.kills - kills} kills, {minutes:.1f} min"
        )
        assert len(left) < len(calls) / 10  # polls occur more or less often


def _require_same(found: state.States, wanted: state.States, when: str = "") -> None:
    """Fails with the places where the final states differ, and not with the states."""
    differing = [
        f"{number}{pointer}: {was!r} without faults, {now!r} with them"
        for number, (one, other) in enumerate(zip(wanted, found, strict=True))
        for pointer, was, now in differences(one, other)
    ]
    assert not differing, "\n".join([when, *differing])


def _sample(calls: list[Signature]) -> dict[Signature, Mode]:
    reads = [each for each in calls if each[1] == "GET"]
    writes = [each for each in calls if each[1] != "GET"]
    chosen = [*writes[::EVERY_WRITE], *reads[::EVERY_READ]]
    return {signature: MODES[number % len(MODES)] for number, signature in enumerate(chosen)}


def _tell(text: str) -> None:
    print(f"\nfault suite: {text}")
