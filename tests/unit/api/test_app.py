"""The API's own rules: open routes, forms of tokens, names that are looked up, limits of webhooks."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request

from api import hooks
from api.app import ROUTERS, create_app
from api.hooks import Receiver
from api.identity import Authentication, Caller
from api.methods import Methods
from api.paths import EncodedPaths
from api.problems import TooMany, of_error, status_of
from api.state import caller
from nautes.clients.settings import Settings
from nautes.messages import errors
from nautes.messages.common import Requester
from nautes.messages.errors import Unauthenticated

OPEN = {"/healthz", "/readyz", "/api/v1/hooks/gitlab/{project_id}"}
WHO = Requester(id=7, username="x", name="X", email="")


class Identities:
    """A fake GitLab for authentication; requests are recorded."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def who(self, token: str) -> Requester:
        self.asked.append(token)
        return WHO


def _routes() -> list[APIRoute]:
    found = [each for router in ROUTERS for each in router.routes if isinstance(each, APIRoute)]
    return [each for each in found if each.include_in_schema]


def _asks_who(dependant: Dependant) -> bool:
    return dependant.call is caller or any(map(_asks_who, dependant.dependencies))


def test_every_route_but_three_asks_who_is_there() -> None:
    described = create_app(Settings()).openapi()["paths"]
    assert described.keys() == {route.path_format for route in _routes()}
    opened = {route.path for route in _routes() if not _asks_who(route.dependant)}
    assert opened == OPEN


def _request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


TOKENS: tuple[tuple[dict[str, str], str], ...] = (
    ({"authorization": "Bearer abc"}, "abc"),
    ({"authorization": "bearer  abc "}, "abc"),
    ({"authorization": "abc"}, "abc"),
    ({"private_token": " abc "}, "abc"),
    ({"authorization": "Basic abc"}, ""),
    ({"authorization": "Bearer"}, ""),
    ({}, ""),
)


@pytest.mark.parametrize(("headers", "token"), TOKENS, ids=[str(each[0]) for each in TOKENS])
async def test_tokens_are_read_from_the_headers_of_gitlab(headers: dict[str, str], token: str) -> None:
    directory = Identities()
    authentication = Authentication(directory)
    if token:
        assert (await authentication.enter(_request(**headers))).token == token
        await authentication.enter(_request(**headers))
        assert directory.asked == [token]  # cached for a while
    else:
        with pytest.raises(Unauthenticated):
            await authentication.enter(_request(**headers))


def test_a_caller_is_shown_without_the_token() -> None:
    assert "secret" not in repr(Caller(WHO, "secret"))


def test_who_sends_nonsense_is_not_listened_to_and_blocks_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    found = Receiver()
    while found.allow("source a"):
        pass
    assert not found.allow("source a", cost=0)
    assert found.allow("source b", cost=0)
    now[0] += 1
    assert found.allow("source a", cost=0)


def test_sources_and_deliveries_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "SOURCES_KEPT", 10)
    monkeypatch.setattr(hooks, "DELIVERIES_KEPT", 10)
    found = Receiver()
    for number in range(100):
        found.allow(f"source {number}")
        found.remember(str(number))
    assert (len(found._buckets), len(found._seen)) == (10, 10)
    assert found.first_time("0")
    assert not found.first_time("99")


class _Special(errors.NotFound):
    pass


def test_every_kind_of_error_has_its_status() -> None:
    kinds = (errors.Refused, errors.Unauthenticated, errors.Forbidden, errors.NotFound, errors.Conflict)
    found = [status_of(each("code", "why")) for each in (*kinds, errors.TooLarge, errors.Unavailable)]
    assert found == [422, 401, 403, 404, 409, 413, 503]
    assert status_of(_Special("code", "why")) == 404
    assert status_of(errors.NautesError("code", "why")) == 500


def test_too_often_is_told_with_when_to_come_again() -> None:
    answer = of_error(TooMany("rate-limited", "too many deliveries", retry_after=1))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


async def _allowed(method: str, path: str) -> tuple[int, str]:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((200, ""))

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            seen.append((message["status"], headers[b"allow"].decode()))

    scope = {"type": "http", "method": method, "path": path, "headers": [], "root_path": ""}
    await Methods(app, ROUTERS)(scope, None, send)  # type: ignore[arg-type]
    return tuple(seen[0])


async def test_every_method_of_a_path_is_told() -> None:
    path = "/api/v1/products/shop/projects/web"
    assert await _allowed("GET", path) == (200, "")
    assert await _allowed("TRACE", path) == (405, "DELETE, GET, HEAD, OPTIONS, POST")
    assert await _allowed("OPTIONS", path) == (204, "DELETE, GET, HEAD, OPTIONS, POST")
    assert await _allowed("GET", "/api/v1/operations/change/shop/x/cancel") == (405, "OPTIONS, POST")
    assert await _allowed("OPTIONS", "/nothing") == (200, "")  # which is the router's to refuse


async def _routed(raw: str) -> str:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])

    scope = {"type": "http", "path": "/decoded", "raw_path": raw.encode()}
    await EncodedPaths(app)(scope, None, None)  # type: ignore[arg-type]
    return seen[0]


async def test_an_encoded_slash_stays_inside_its_part() -> None:
    assert await _routed("/products/a%2Fb/x") == "/products/a\u2215b/x"
    assert await _routed("/products/a%2fb/x?y=%2f") == "/products/a\u2215b/x"
    assert await _routed("/products/ab") == "/decoded"
