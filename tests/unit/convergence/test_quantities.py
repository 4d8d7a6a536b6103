"""Quantities as numbers, by the grammar of the Kubernetes API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.convergence.quantities import value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", "0.5"),
        ("1Gi", "1073741824"),
        ("1G", "1000000000"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("2E", "2000000000000000000"),
        (".5", "0.5"),
        ("-1", "-1"),
        (2, "2"),
        (0.5, "0.5"),
    ],
)
def test_a_quantity_is_a_number(text: Any, number: str) -> None:
    assert value(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "a", "1x", "1 Gi", "1GiB", True, None, [], "--1", "9" * 100])
def test_anything_else_is_none(text: Any) -> None:
    assert value(text) is None


@given(st.text(max_size=20))
def test_any_text_gets_an_answer(text: str) -> None:
    value(text)
