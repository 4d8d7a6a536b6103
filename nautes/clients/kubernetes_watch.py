"""Lists and watches the metadata of a cluster's objects, many kinds at a time on one event loop. Used by activities/observer.py.

Only metadata travels: it says who changed an object and whether anything about it changed, and it holds no secret.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import httpx2

from nautes.clients.kubeconfig import Kubeconfig, check_resolved
from nautes.clients.kubernetes_http import error_of, tls_context
from nautes.convergence.objects import Object
from nautes.messages.errors import Unavailable
from nautes.telemetry.metrics import Calls

PAGE = 2_000  # objects in one page of a list
CONNECT, ANSWER = 5.0, 15.0  # seconds
SILENCE = 150.0  # seconds without a bookmark after which a watch counts as dead; servers send one a minute
METADATA = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1,application/json"


class ExpiredError(Exception):
    """The server does not know what happened since that version: list again."""


class Watcher:
    """One cluster. Raises the errors of nautes/messages/errors.py."""

    def __init__(self, config: Kubeconfig, *, agent: str = "nautes-observer", calls: Calls | None = None) -> None:
        check_resolved(config)
        self._calls = calls or Calls("kubernetes")
        headers = {"User-Agent": agent} | ({"Authorization": f"Bearer {config.token}"} if config.token else {})
        secure: ssl.SSLContext | bool = tls_context(config) if config.server.startswith("https:") else True
        self._server = config.server
        self._extensions = {"sni_hostname": config.tls_server_name} if config.tls_server_name else {}
        self._client = httpx2.AsyncClient(
            base_url=config.server,
            headers=headers,
            verify=secure,
            limits=httpx2.Limits(max_connections=None),
            timeout=httpx2.Timeout(ANSWER, connect=CONNECT),
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def list(self, path: str, selector: str) -> tuple[list[Object], str]:
        """The metadata of all objects under a path, and the version from which to watch."""
        items: list[Object] = []
        parameters = {"limit": str(PAGE), "labelSelector": selector}
        while True:
            page = await self._get(path, parameters)
            items += page.get("items") or []
            meta = page.get("metadata") or {}
            if not meta.get("continue"):
                return items, str(meta.get("resourceVersion") or "")
            parameters = {**parameters, "continue": str(meta["continue"])}

    async def watch(self, path: str, selector: str, version: str, seconds: int) -> AsyncIterator[tuple[str, Object]]:
        """Events from `version` on, for at most `seconds`: ADDED, MODIFIED, DELETED, BOOKMARK, each with metadata.

        Raises ExpiredError when the version is too old. It ends early when the connection does.
        """
        parameters = {
            "watch": "1",
            "labelSelector": selector,
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
            "allowWatchBookmarks": "true",
        }
        request = self._request(path, parameters, METADATA.format(list=""), read=SILENCE)
        response = await self._send(request, stream=True)
        try:
            if response.status_code == 410:
                raise ExpiredError
            if response.status_code >= 300:
                raise error_of(response.status_code, await response.aread(), response.headers)
            rest = b""
            async for part in response.aiter_bytes():
                *lines, rest = (rest + part).split(b"\n")  # not splitlines: an annotation may hold other line ends
                for line in filter(None, lines):
                    yield _event(line)
        except httpx2.HTTPError:
            return  # watched again from the last version; a server that is gone refuses the next connection
        finally:
            await response.aclose()

    async def _get(self, path: str, parameters: dict[str, str]) -> Object:
        response = await self._send(self._request(path, parameters, METADATA.format(list="List")))
        if response.status_code >= 300:
            raise error_of(response.status_code, response.content, response.headers)
        found = response.json()
        return found if isinstance(found, dict) else {}

    async def _send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response:
        began = time.perf_counter()
        try:
            response = await self._client.send(request, stream=stream)
        except httpx2.HTTPError as error:
            self._calls.unanswered(began)
            raise self._unreachable(error) from None
        self._calls.answered(response.status_code, began)
        return response

    def _request(self, path: str, parameters: dict[str, str], accept: str, read: float = ANSWER) -> httpx2.Request:
        timeout = httpx2.Timeout(ANSWER, connect=CONNECT, read=read)
        return self._client.build_request(
            "GET",
            path,
            params=parameters,
            headers={"Accept": accept},
            timeout=timeout,
            extensions={**self._extensions, "timeout": timeout.as_dict()},
        )

    def _unreachable(self, error: Exception) -> Unavailable:
        return Unavailable("cluster-unreachable", f"{self._server} cannot be reached: {type(error).__name__}")


def _event(line: bytes) -> tuple[str, Object]:
    """One line of a watch. Raises ExpiredError for an error of the server, and for what cannot be read."""
    try:
        event = json.loads(line)
        sort, item = str(event["type"]), dict(event["object"])
    except (ValueError, KeyError, TypeError):
        raise ExpiredError from None
    if sort == "ERROR":
        raise ExpiredError
    return sort, item
