"""Every answer has the keys the platform reads; that it has none beyond GitLab's is a test of the stand-in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.gitlab.samples import ANSWERS, samples
from tests.contract.gitlab.support import Maker


@pytest.fixture(scope="module")
def answers(make: Maker) -> dict[str, Any]:
    return samples(make)


@pytest.mark.parametrize("endpoint", sorted(ANSWERS))
def test_an_answer_has_what_the_platform_reads(answers: dict[str, Any], endpoint: str) -> None:
    missing = set(ANSWERS[endpoint]["read"]) - set(answers[endpoint])
    assert not missing


def test_every_sample_is_in_the_table(answers: dict[str, Any]) -> None:
    assert set(answers) == set(ANSWERS)
