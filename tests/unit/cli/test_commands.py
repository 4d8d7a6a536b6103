"""Commands that reach no server: usage, targets, and servers that are not what they should be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nautes.cli.client import CommandError
from nautes.cli.main import app
from nautes.cli.target import connect
from nautes_sandbox.process import free_port
from tests.unit.cli.fake import TOKEN, FakeApi, Nautes, Reply

COMMANDS = (
    *("apply", "remove", "plan", "diff", "delete", "get", "describe", "status", "explain", "history", "wait", "events"),
    *("cancel", "pause", "resume", "sync", "rollback", "login", "completion", "version", "sandbox", "demo"),
)


@pytest.mark.parametrize("command", [[], *([each] for each in COMMANDS)])
def test_every_command_explains_itself(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


WRONG = (
    (["get", "products"], "no API server: use -s, API_SERVER, nautes login"),
    (["-s", "http://x", "get", "products"], "no token: use -t, GIT_TOKEN"),
    (["get", "products", "-s", "http://x"], "no token: use -t, GIT_TOKEN"),
    (["-s", "http://x", "-t", "a\nb", "get", "products"], "characters that no token has"),
    (["-s", "localhost:80", "-t", TOKEN, "get", "products"], "localhost:80 is no http(s) address"),
    (["-s", "http://x:port", "-t", TOKEN, "get", "products"], "is no http(s) address"),
    (["get", "planets"], "unknown kind planets"),
    (["explain", "web"], "use -p"),
    (["wait", "web", "-p", "shop", "--for", "x"], "converged or ready"),
    (["get", "env"], "environments belong to a product: use -p"),
    (["delete", "runs", "x", "-p", "shop"], "runs cannot be deleted"),
    (["delete", "env", "x", "-p", "shop"], "use -y to delete without a question"),
    (["describe", "web"], "run/<id>, <kind>/<name> and <kind> <name>"),
    (["describe", "run", "x"], "run/<id>, <kind>/<name> and <kind> <name>"),
    (["history", "-s", "http://x", "-t", TOKEN], "name a product (or use -p), or cluster/<name>"),
    (["events", "-s", "http://x", "-t", TOKEN], "name a product"),
    (["pause", "pipeline/shop/build"], "pause is for deployments"),
    (["login", "-s", "http://x"], "no token: use -t, or give it on standard input"),
    (["apply"], "Missing option"),
    (["get", "products", "-o", "xml"], "'xml' is not one of"),
)


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=[" ".join(each[0][-3:]) for each in WRONG])
def test_wrong_usage_ends_with_two(arguments: list[str], says: str, nautes: Nautes) -> None:
    ended = nautes(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in " ".join(ended.err.split())


def test_a_server_that_is_not_there_is_named(nautes: Nautes) -> None:
    server = f"http://127.0.0.1:{free_port()}"
    ended = nautes("-s", server, "-t", TOKEN, "get", "products")
    assert (ended.code, ended.out, ended.err) == (1, "", f"nautes: {server} cannot be reached (ConnectError)\n")


def test_a_host_nobody_knows_is_not_asked_again(nautes: Nautes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nautes.cli.client.TIMEOUT", 3600.0)
    ended = nautes("-s", "http://nobody.invalid", "-t", TOKEN, "get", "products")
    assert (ended.code, "http://nobody.invalid cannot be reached" in ended.err) == (1, True)


PLACES = (
    ("-t", "glpat-flag-of-mine", "-s", "{}", "get", "projects", "-p", "shop"),
    ("get", "projects", "-p", "shop", "-t", "glpat-flag-of-mine", "-s", "{}"),
    ("-s", "http://nobody.invalid", "get", "-t", "glpat-flag-of-mine", "--api-server", "{}", "projects", "-p", "shop"),
)


@pytest.mark.parametrize("arguments", PLACES, ids=["before", "behind", "behind wins"])
def test_server_and_token_are_flags_before_and_behind_the_command(
    arguments: tuple[str, ...], nautes: Nautes, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("API_SERVER")
    api.on("GET", "/api/v1/products/shop/projects", Reply(json={"items": [{"name": "web"}]}))
    ended = nautes(*(each.format(api.url) for each in arguments))
    assert (ended.code, ended.err) == (0, "")
    assert api.last("GET").headers["Authorization"] == "Bearer glpat-flag-of-mine"


def test_the_product_comes_from_the_environment(nautes: Nautes, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCT", "group/shop")
    api.on("GET", "/api/v1/products/group%2Fshop/projects", Reply(json={"items": []}))
    assert nautes("get", "projects").out == "nothing found\n"


def test_flags_come_before_the_environment_and_that_before_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".sandbox/secrets").mkdir(parents=True)
    Path(".sandbox/ports.json").write_text(json.dumps({"api": 4711}))
    Path(".sandbox/secrets/gitlab-root").write_text("of-sandbox\n")
    assert (connect("", "").server, connect("", "").token) == ("http://127.0.0.1:4711", "of-sandbox")
    monkeypatch.setenv("API_SERVER", "http://environment/")
    monkeypatch.setenv("GIT_TOKEN", "of-environment")
    assert (connect("", "").server, connect("", "").token) == ("http://environment", "of-environment")
    assert (connect("http://flag", "of-flag").server, connect("", "of-flag").token) == ("http://flag", "of-flag")


def test_the_token_of_the_sandbox_goes_nowhere_else() -> None:
    Path(".sandbox/secrets").mkdir(parents=True)
    Path(".sandbox/ports.json").write_text(json.dumps({"api": 4711}))
    Path(".sandbox/secrets/gitlab-root").write_text("of-sandbox\n")
    with pytest.raises(CommandError, match="no token"):
        connect("http://elsewhere", "")


def test_a_token_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAUTES_TOKEN_FILE", "nowhere")
    with pytest.raises(CommandError, match="nowhere cannot be read") as caught:
        connect("http://x", "")
    assert caught.value.exit_code == 2


ANSWERS = {
    "a page": (200, "<html>login</html>", "answers 200 in another form than this API"),
    "a redirect": (302, "", "answers 302 in another form than this API"),
    "another API": (404, '{"code": 5, "message": "Not Found"}', "answers 404 in another form than this API"),
    "a gateway": (502, "<html>bad gateway</html>", "answers 502 in another form than this API"),
    "a list": (400, "[]", "answers 400 in another form than this API"),
    "a problem": (409, '{"status": 4, "code": "x", "detail": "[bold]not now[/bold]"}', "nautes: [bold]not now[/bold]"),
    "what was undone": (
        422,
        '{"status": 4, "code": "x", "detail": "no", "undone": ["a", "b"]}',
        "nautes: no; undone: a, b",
    ),
    "an outage": (503, '{"status": 4, "code": "x", "detail": "later"}', "nautes: later"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_whatever_answers_ends_with_one_and_a_line(case: str, nautes: Nautes, api: FakeApi) -> None:
    status, text, says = ANSWERS[case]
    api.on(
        "GET", "/api/v1/products", Reply(status, text=text, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    )
    ended = nautes("get", "products")
    assert (ended.code, ended.out) == (1, "")
    assert says in ended.err


def test_a_token_that_is_sent_back_is_not_printed(nautes: Nautes, api: FakeApi) -> None:
    echo = {"items": [{"name": f"x {TOKEN}", "kubeconfig": "apiVersion: v1"}]}
    api.on("GET", "/api/v1/products", Reply(json=echo))
    for form in ("wide", "json", "yaml", "name"):
        ended = nautes("get", "products", "-o", form)  # looks for the token itself
        assert "x ***" in ended.out
        assert "apiVersion" not in ended.out
    api.on("GET", "/api/v1/products", Reply(403, {"status": 403, "code": "x", "detail": f"{TOKEN} may not"}))
    assert nautes("get", "products").err == "nautes: *** may not\n"
