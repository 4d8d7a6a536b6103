"""The door's own rules: which routes are open, what a token may look like, what names are asked for, who is listened to."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request

from api import changes, health, hooks, identity, kinds, operations, status
from api.app import create_app
from api.hooks import Receiver
from api.identity import Caller, Door
from api.paths import EncodedPaths
from api.state import caller
from clients.settings import Settings
from contracts.common import Requester
from contracts.errors import Forbidden, NotFound, Unauthenticated

OPEN = {"/healthz", "/readyz", "/api/v1/hooks/gitlab/{project_id}"}
WHO = Requester(id=7, username="x", name="X", email="")


class Directory:
    """GitLab as far as the door asks: levels by path; what was asked for is kept."""

    def __init__(self, **levels: int) -> None:
        self.levels, self.asked, self.creates = levels, [], True

    asked: list[str]

    def who(self, token: str) -> Requester:
        self.asked.append(token)
        return WHO

    def level(self, token: str, user_id: int, path: str, kind: str) -> int | None:
        self.asked.append(path)
        return self.levels.get(path)

    def can_create_group(self, token: str) -> bool:
        return self.creates


def _routes() -> list[APIRoute]:
    found: list[APIRoute] = []
    for module in (changes, health, hooks, kinds, operations, status):
        found += [each for each in module.router.routes if isinstance(each, APIRoute)]
    return found


def _described(path: str) -> str:
    return path.replace(":path}", "}")


def _asks_who(dependant: Dependant) -> bool:
    return dependant.call is caller or any(map(_asks_who, dependant.dependencies))


def test_every_route_but_three_asks_who_is_there() -> None:
    described = create_app(Settings()).openapi()["paths"]
    assert described.keys() >= OPEN
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
    directory = Directory()
    door = Door(directory)
    if token:
        assert (await door.enter(_request(**headers))).token == token
        await door.enter(_request(**headers))
        assert directory.asked == [token]  # believed for a while
    else:
        with pytest.raises(Unauthenticated):
            await door.enter(_request(**headers))


def test_a_caller_is_shown_without_the_token() -> None:
    assert "secret" not in repr(Caller(WHO, "secret"))


@pytest.mark.parametrize("path", ["..", "../x", "x/../y", "x/.", "", "/x", "x/", "x//y"])
async def test_paths_that_lead_elsewhere_are_never_asked_for(path: str) -> None:
    directory = Directory(**{path: 50})
    assert await Door(directory).level(Caller(WHO, "t"), path, "groups") is None
    assert directory.asked == []


async def test_what_one_may_not_know_is_not_found_and_what_one_may_not_do_is_named() -> None:
    door = Door(Directory(shop=20))
    with pytest.raises(NotFound):
        await door.require(Caller(WHO, "t"), "hidden", "groups", 20)
    with pytest.raises(Forbidden, match=r"needs Maintainer \(40\) on shop; you have Reporter \(20\)"):
        await door.require(Caller(WHO, "t"), "shop", "groups", 40)
    await door.require(Caller(WHO, "t"), "shop", "groups", 20)


PRODUCTS: tuple[tuple[dict[str, int], str, bool, type[Exception] | None], ...] = (
    ({"shop/default.project": 40}, "shop", False, None),
    ({"shop/default.project": 30, "shop": 50}, "shop", True, Forbidden),
    ({}, "shop", False, NotFound),
    ({}, "shop", True, None),
    ({"shop": 50}, "shop", True, None),
    ({"shop": 40}, "shop", True, Forbidden),
    ({"shop": 40}, "shop/inner", True, None),
    ({"shop": 30}, "shop/inner", True, Forbidden),
    ({}, "shop/inner", True, NotFound),
)


@pytest.mark.parametrize(("levels", "product", "creates", "error"), PRODUCTS, ids=map(str, range(len(PRODUCTS))))
async def test_changing_a_product_needs_rights_where_it_is(
    levels: dict[str, int], product: str, creates: bool, error: type[Exception] | None
) -> None:
    asked = Door(Directory(**levels)).may_change_product(Caller(WHO, "t"), product, creates=creates)
    if error is None:
        await asked
    else:
        with pytest.raises(error):
            await asked


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


def test_levels_have_the_names_of_gitlab() -> None:
    assert (identity.LEVELS[identity.MAINTAINER], identity.LEVELS[identity.REPORTER]) == ("Maintainer", "Reporter")
