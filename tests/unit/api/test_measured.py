"""Requests in the metrics: by what became of them, also when nothing did."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client.core import REGISTRY

from api.limits import Message, Receive, Send
from api.measured import NOTE, Measured, Noted


class Route:
    """As the router leaves it in the scope."""

    def __init__(self, path: str) -> None:
        self.path = path


def _count(route: str, status: int, method: str = "GET") -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("nautes_http_requests_total", labels) or 0.0


async def _request(app: Any, method: str = "GET") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    await Measured(app)({"type": "http", "method": method}, receive, send)
    return sent


def _app(route: str, behave: Any) -> Any:
    async def routed(scope: Message, receive: Receive, send: Send) -> None:
        scope["route"] = Route(route)
        await behave(send)

    async def copying(scope: Message, receive: Receive, send: Send) -> None:
        await Noted(routed)({**scope}, receive, send)  # layers in between may hand on another scope

    return copying


async def test_a_request_is_counted_by_the_template_of_its_route() -> None:
    async def answer(send: Send) -> None:
        await send({"type": "http.response.start", "status": 201})
        await send({"type": "http.response.body", "body": b""})

    assert len(await _request(_app("/a/{name}", answer), "POST")) == 2
    assert _count("/a/{name}", 201, "POST") == 1


async def test_one_whose_client_leaves_is_no_failure_of_ours() -> None:
    async def leave(_: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await _request(_app("/left", leave))
    assert (_count("/left", 499), _count("/left", 500)) == (1, 0)
    assert REGISTRY.get_sample_value("nautes_http_requests_in_flight") == 0


async def test_one_that_fails_without_an_answer_is() -> None:
    async def fail(_: Send) -> None:
        raise KeyError("oops")

    with pytest.raises(KeyError):
        await _request(_app("/failed", fail))
    assert (_count("/failed", 499), _count("/failed", 500)) == (0, 1)


async def test_what_is_no_request_passes() -> None:
    seen: list[Message] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        seen.append(scope)

    await Measured(app)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert [each["type"] for each in seen] == ["lifespan"] and NOTE not in seen[0]
