"""JSON bodies are read strictly: an object of plain values, not too deep, whatever stands in its texts."""

from __future__ import annotations

import json

import pytest

from api.bodies import DEEPEST, json_object

REFUSED = {
    "nothing": b"",
    "a list": b"[]",
    "a text": b'"{"',
    "half an object": b'{"a": ',
    "no number": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "an endless number": b'{"a": ' + b"9" * 5000 + b"}",
    "half a character": b'{"a": "\\ud800"}',
    "half a character as a key": b'{"\\ud800": 1}',
    "not UTF-8": b'{"a": "\xff"}',
    "one level too deep": b'{"a":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}",
    "endlessly deep": b'{"a":' + b"[" * 500_000,
    "deep behind a text": b'{"a\\"": "}", "b":' + b"[" * 500_000,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_is_no_plain_object_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        json_object(body)


TAKEN = {
    "an empty object": {},
    "plain values": {"a": [1, 1.5, True, None, "ä"], "b": {"c": {}}},
    "brackets in texts": {"a": "[" * 1000, '"{': "\\" + "{" * 1000},
    "as deep as may be": {"a": json.loads("[" * (DEEPEST - 1) + "]" * (DEEPEST - 1))},
    "wide": {"a": [[]] * 1000},
}


@pytest.mark.parametrize("value", TAKEN.values(), ids=TAKEN)
def test_an_object_is_read_as_it_was_written(value: dict[str, object]) -> None:
    assert json_object(json.dumps(value).encode()) == value
