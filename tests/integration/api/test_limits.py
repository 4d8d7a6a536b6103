"""Bodies over the limit are refused before they are read, whatever they say of their length."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import nothing_written, problem

LIMIT = 1 << 20
PATHS = ("/api/v1/apply", "/api/v1/remove", "/api/v1/products/shop/projects/web", "/api/v1/clusters/x")


def _chunks() -> Iterator[bytes]:
    for _ in range(LIMIT // 65536 + 2):
        yield b"#" * 65536


def _announced(shop: Scenario, path: str) -> bytes:
    """The answer to headers alone: nothing of the body is sent."""
    with socket.create_connection(("127.0.0.1", shop.world.ports["api"]), timeout=10) as connection:
        lines = (
            f"POST {path} HTTP/1.1",
            "Host: api",
            f"Authorization: Bearer {shop.people['team'].token}",
            f"Content-Length: {LIMIT + 1}",
        )
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


@pytest.mark.parametrize("path", [*PATHS, "/api/v1/hooks/gitlab/1"])
def test_an_announced_body_is_refused_before_it_is_sent(shop: Scenario, path: str) -> None:
    with nothing_written(shop.world):
        answer = _announced(shop, path)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer
    assert b'"code":"body-too-large"' in answer


@pytest.mark.parametrize("path", PATHS)
def test_a_chunked_body_is_refused_once_it_is_too_long(shop: Scenario, path: str) -> None:
    with nothing_written(shop.world):
        answer = shop.api("POST", path, "team", content=_chunks())
    assert f"{LIMIT} bytes" in problem(answer, 413, "body-too-large")["detail"]


def test_the_largest_body_is_read(shop: Scenario) -> None:
    text = "kind: Project\nspec: {name: web, product: nowhere}\n#"
    answer = shop.api("POST", "/api/v1/apply", "team", content=text + "x" * (LIMIT - len(text)))
    problem(answer, 404, "not-found")
