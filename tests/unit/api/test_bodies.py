"""JSON bodies are read strictly: an object of plain values, not too deep, whatever stands in its texts."""

from __future__ import annotations

import json

import pytest
from starlette.requests import Request

from api.bodies import DEEPEST, json_body, json_object, json_value, manifests
from api.problems import UnsupportedMedia
from nautes.messages.errors import Refused

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


TWICE = {
    b'{"a": 1, "a": 2}': ["/a"],
    b'{"a": {"b": 1, "b": 1, "c": [{"d": 1, "d": 2}]}}': ["/a/b", "/a/c/0/d"],
    b'[{"a/b": 1, "a/b": 2}]': ["/0/a~1b"],
    b'{"a": {"x": 1}, "b": {"x": 1}}': [],
}


@pytest.mark.parametrize(("body", "pointers"), TWICE.items())
def test_a_key_that_stands_twice_is_found_where_it_stands(body: bytes, pointers: list[str]) -> None:
    assert json_value(body)[1] == pointers


def test_a_thousand_keys_that_stand_twice_are_found_in_no_time() -> None:
    body = ("{" + ",".join(f'"k{number % 50_000}":0' for number in range(100_000)) + "}").encode()
    assert len(json_value(body)[1]) == 50_000


def _request(body: bytes, media: str) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", media.encode())] if media else []
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


PROJECT = {"kind": "Project", "spec": {"name": "web", "product": "shop", "language": "a\u2028b\t\x7f"}}
OTHER = {"kind": "Project", "spec": {"name": "api", "product": "shop"}}


@pytest.mark.parametrize(
    ("body", "media", "names"),
    [
        (json.dumps(PROJECT).encode(), "application/json", ["web"]),
        (json.dumps([PROJECT, OTHER], indent="\t").encode(), "application/json; charset=utf-8", ["web", "api"]),
        (json.dumps(PROJECT, ensure_ascii=False).encode(), "application/json", ["web"]),
        (b"kind: Project\nspec: {name: web, product: shop}\n", "application/yaml", ["web"]),
        (b"kind: Project\nspec: {name: web, product: shop}\n", "text/plain", ["web"]),
        (b"kind: Project\nspec: {name: web, product: shop}\n", "", ["web"]),
    ],
)
async def test_manifests_are_read_as_what_they_are_sent_as(body: bytes, media: str, names: list[str]) -> None:
    found = await manifests(_request(body, media))
    assert [each.name for each in found] == names
    if b"language" in body:
        assert found[0].language == "a\u2028b\t\x7f"  # type: ignore[attr-defined]


async def test_findings_of_an_array_point_into_it() -> None:
    wrong = {"kind": "Project", "spec": {"name": "api", "product": "shop", "colour": 1}}
    body = json.dumps([PROJECT, wrong], indent=1).encode()
    with pytest.raises(Refused) as refused:
        await manifests(_request(body, "application/json"))
    (finding,) = refused.value.findings
    assert finding.pointer == "/1/spec/colour"
    line = body.decode().splitlines()[(finding.line or 0) - 1]
    assert "colour" in line


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "application/octet-stream", "image/png"])
async def test_other_kinds_of_bodies_are_not_guessed_at(media: str) -> None:
    with pytest.raises(UnsupportedMedia):
        await manifests(_request(b"kind: Project", media))
    with pytest.raises(UnsupportedMedia):
        await json_body(_request(b"{}", media))


async def test_manifests_that_are_no_json_or_none_at_all_are_refused() -> None:
    for body in (b"{", b"[]", b'{"kind": "Project", "kind": "Project"}'):
        with pytest.raises(Refused):
            await manifests(_request(body, "application/json"))
