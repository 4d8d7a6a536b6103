"""Commands that reach no server: usage, targets, and servers that are not what they should be."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.client import CommandError, connect
from cli.main import app, main
from sandbox.process import free_port

TOKEN = "glpat-not-to-be-printed"


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    before, sys.argv = sys.argv, ["nautes", *arguments]
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.argv = before
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize(
    "command", [[], *([each] for each in ("apply", "get", "status", "explain", "wait", "sandbox"))]
)
def test_every_command_explains_itself(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(app, ["version"]).stdout.strip().count(".") == 2


WRONG = (
    (["get", "products"], "no API server: use -s, API_SERVER"),
    (["-s", "http://x", "get", "products"], "no token: use -t, GIT_TOKEN"),
    (["-s", "http://x", "-t", "a\nb", "get", "products"], "characters that no token has"),
    (["-s", "localhost:80", "-t", TOKEN, "get", "products"], "localhost:80 is no http(s) address"),
    (["-s", "http://x:port", "-t", TOKEN, "get", "products"], "is no http(s) address"),
    (["get", "planets"], "unknown kind planets"),
    (["explain", "web"], "use -p"),
    (["wait", "web", "-p", "shop", "--for", "x"], "converged or ready"),
)


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=[" ".join(each[0][-3:]) for each in WRONG])
def test_wrong_usage_ends_with_two(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert TOKEN not in err


def test_a_server_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    server = f"http://127.0.0.1:{free_port()}"
    code, out, err = _run(capsys, "-s", server, "-t", TOKEN, "get", "products")
    assert (code, out, err) == (1, "", f"nautes: {server} cannot be reached (ConnectError)\n")


def test_a_host_nobody_knows_is_not_asked_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.client.PATIENCE", 3600.0)
    code, _, err = _run(capsys, "-s", "http://nobody.invalid", "-t", TOKEN, "get", "products")
    assert (code, "http://nobody.invalid cannot be reached" in err) == (1, True)


def test_flags_come_before_the_environment_and_that_before_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".sandbox/secrets").mkdir(parents=True)
    Path(".sandbox/ports.json").write_text(json.dumps({"api": 4711}))
    Path(".sandbox/secrets/gitlab-root").write_text("of-sandbox\n")
    assert (connect("", "").server, connect("", "").token) == ("http://127.0.0.1:4711", "of-sandbox")
    monkeypatch.setenv("API_SERVER", "http://environment/")
    monkeypatch.setenv("GIT_TOKEN", "of-environment")
    assert (connect("", "").server, connect("", "").token) == ("http://environment", "of-environment")
    assert (connect("http://flag", "of-flag").server, connect("", "of-flag").token) == ("http://flag", "of-flag")


def test_a_token_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAUTES_TOKEN_FILE", "nowhere")
    with pytest.raises(CommandError, match="nowhere cannot be read") as caught:
        connect("http://x", "")
    assert caught.value.exit_code == 2


ANSWERS = {
    "a page": (200, "<html>login</html>", "answers 200, not as this API does"),
    "a redirect": (302, "", "answers 302, not as this API does"),
    "another API": (404, '{"code": 5, "message": "Not Found"}', "answers 404, not as this API does"),
    "a gateway": (502, "<html>bad gateway</html>", "answers 502, not as this API does"),
    "a list": (400, "[]", "answers 400, not as this API does"),
    "a problem": (409, '{"status": 4, "code": "x", "detail": "[bold]not now[/bold]"}', "nautes: [bold]not now[/bold]"),
    "what was undone": (
        422,
        '{"status": 4, "code": "x", "detail": "no", "undone": ["a", "b"]}',
        "nautes: no; undone: a, b",
    ),
    "an outage": (503, '{"status": 4, "code": "x", "detail": "later"}', "nautes: later"),
}


class _Answer(BaseHTTPRequestHandler):
    status, text = 200, ""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.text)))
        self.send_header("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")
        self.end_headers()
        self.wfile.write(self.text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    found = HTTPServer(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=found.serve_forever, args=(0.02,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.mark.parametrize("case", ANSWERS)
def test_whatever_answers_ends_with_one_and_a_line(
    case: str, server: HTTPServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, text, says = ANSWERS[case]
    monkeypatch.setattr(_Answer, "status", status)
    monkeypatch.setattr(_Answer, "text", text)
    code, out, err = _run(capsys, "-s", f"http://127.0.0.1:{server.server_port}", "-t", TOKEN, "get", "products")
    assert (code, out) == (1, "")
    assert says in err
    assert TOKEN not in err
