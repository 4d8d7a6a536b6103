"""An API server's answers in our words: what is final, what is an outage, and that a Secret's values stay where they are."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import quote

import pytest

from nautes.clients.kubeconfig import Kubeconfig
from nautes.clients.kubernetes_http import Connection
from nautes.messages.errors import Conflict, Forbidden, NautesError, NotFound, Refused, TooLarge, Unavailable

Answer = tuple[int, dict[str, str], bytes]


class Handler(BaseHTTPRequestHandler):
    """Answers paths with prepared answers, and records requests."""

    answers: ClassVar[dict[str, Answer]] = {}
    asked: ClassVar[list[tuple[str, str, dict[str, str], bytes]]] = []
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, dict(self.headers), body))
        status, headers, text = self.answers[self.path.partition("?")[0]]
        if status == 0:  # dies in the middle of its answer
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = answer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


@pytest.fixture
def connection(server: str) -> Connection:
    Handler.asked.clear()
    return Connection(Kubeconfig(server=f"{server}/base", token="tok", allow_loopback=True), timeout=2)


def status(code: int, message: str = "it says why", **more: Any) -> bytes:
    return json.dumps({"kind": "Status", "code": code, "reason": "Because", "message": message, **more}).encode()


def answering(path: str, code: int, body: bytes, **headers: str) -> str:
    Handler.answers[f"/base{path}"] = (code, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    return path


@pytest.mark.parametrize(
    ("code", "kind", "name"),
    [
        (400, Refused, "kubernetes-refused"),
        (401, Forbidden, "kubernetes-unauthorized"),
        (403, Forbidden, "kubernetes-forbidden"),
        (404, NotFound, "kubernetes-not-found"),
        (405, Refused, "kubernetes-refused"),
        (409, Conflict, "kubernetes-conflict"),
        (413, TooLarge, "kubernetes-too-large"),
        (422, Refused, "kubernetes-refused"),
        (429, Unavailable, "kubernetes-unavailable"),
        (500, Unavailable, "kubernetes-unavailable"),
        (502, Unavailable, "kubernetes-unavailable"),
        (504, Unavailable, "kubernetes-unavailable"),
    ],
)
def test_each_status_has_its_error(connection: Connection, code: int, kind: type[NautesError], name: str) -> None:
    with pytest.raises(kind) as error:
        connection.call("GET", answering(f"/status/{code}", code, status(code)))
    assert (type(error.value), error.value.code, error.value.message) == (kind, name, "it says why")
    assert len(Handler.asked) == 1, "retries are decided above"


@pytest.mark.parametrize(
    ("header", "wish"), [("7", 7.0), ("0", 0.0), ("soon", None), ("", None), ("\u00b2", None), ("9" * 400, None)]
)
def test_the_servers_wish_for_the_next_try_is_kept(connection: Connection, header: str, wish: float | None) -> None:
    path = answering(f"/busy/{quote(header)}", 429, status(429), Retry_After=header)
    with pytest.raises(Unavailable) as error:
        connection.call("GET", path)
    assert error.value.retry_after == wish


def test_an_object_an_older_server_cannot_decode_is_the_objects_fault(connection: Connection) -> None:
    body = status(500, "failed to create typed patch object: .spec.x: field not declared in schema")
    with pytest.raises(Refused):
        connection.call("PATCH", answering("/undecodable", 500, body), body={"kind": "ConfigMap"})


def test_an_answer_that_is_not_kubernetes_is_not_quoted(connection: Connection) -> None:
    with pytest.raises(Unavailable) as error:
        connection.call("GET", answering("/proxy", 502, b"<html>secret inside</html>"))
    assert error.value.message == "HTTP 502"


def test_a_long_message_is_cut(connection: Connection) -> None:
    with pytest.raises(Refused) as error:
        connection.call("GET", answering("/long", 422, status(422, "x" * 50_000)))
    assert len(error.value.message) == 1000


def test_what_is_said_about_a_secret_never_quotes_its_values(connection: Connection) -> None:
    causes = {"causes": [{"field": "data.password", "reason": "FieldValueInvalid", "message": "hunter2 is wrong"}]}
    path = answering("/secret", 422, status(422, "Invalid value: hunter2", details=causes))
    with pytest.raises(Refused) as error:
        connection.call("PATCH", path, body={"apiVersion": "v1", "kind": "Secret", "data": {"password": "hunter2"}})
    assert "hunter2" not in str(error.value)
    assert "data.password: FieldValueInvalid" in error.value.message
    with pytest.raises(Refused, match="hunter2"):
        connection.call(
            "PATCH", path, body={"apiVersion": "example.com/v1", "kind": "Secret"}
        )  # no Secret of Kubernetes


@pytest.mark.parametrize("details", [[1], "x", {"causes": [1, {"field": "data.k", "reason": "R"}]}, {"causes": 1}, {}])
def test_details_that_are_not_what_they_should_be_are_left_out(connection: Connection, details: object) -> None:
    path = answering(f"/odd/{abs(hash(str(details)))}", 422, status(422, "hunter2", details=details))
    with pytest.raises(Refused) as error:
        connection.call("PATCH", path, body={"apiVersion": "v1", "kind": "Secret"})
    assert error.value.message in ("Because", "Because (data.k: R)")


def test_a_redirect_is_not_followed(connection: Connection, server: str) -> None:
    answering("/elsewhere", 200, b"{}")
    with pytest.raises(Refused, match="HTTP 302"):
        connection.call("GET", answering("/moved", 302, b"", Location=f"{server}/base/elsewhere"))
    assert [path for _, path, _, _ in Handler.asked] == ["/base/moved"]


def test_a_good_answer_is_data(connection: Connection) -> None:
    answer = connection.call(
        "POST", answering("/good", 201, b'{"kind": "Pod"}'), {"a": "b c"}, body={"x": 1}, account="me"
    )
    assert answer == {"kind": "Pod"}
    [(method, path, headers, body)] = Handler.asked
    assert (method, path, body) == ("POST", "/base/good?a=b+c", b'{"x":1}')
    assert headers["Impersonate-User"] == "me"
    assert headers["Authorization"] == "Bearer tok"
    assert connection.requests == {"POST": 1}


@pytest.mark.parametrize(("body", "expected"), [(b"", {}), (b"[1]", {}), (b"{}", {})])
def test_an_empty_answer_is_no_object(connection: Connection, body: bytes, expected: object) -> None:
    assert connection.call("DELETE", answering(f"/empty/{len(body)}", 200, body)) == expected


@pytest.mark.parametrize(("code", "body"), [(200, b"not json"), (0, b"")])
def test_a_broken_answer_is_an_outage(connection: Connection, code: int, body: bytes) -> None:
    with pytest.raises(Unavailable) as error:
        connection.call("GET", answering(f"/broken/{code}", code, body))
    assert "tok" not in str(error.value)


def test_nobody_there_is_an_outage_that_names_the_server() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port meanwhile
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        connection = Connection(Kubeconfig(server=address, token="tok", allow_loopback=True), timeout=2)
        with pytest.raises(Unavailable, match=address) as error:
            connection.call("GET", "/x")
    assert error.value.code == "cluster-unreachable"
