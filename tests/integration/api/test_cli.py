"""The command line against a whole world: exit codes, what goes to which stream, and forms that programs can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from nautes_sandbox.scenario import Scenario
from tests.integration import secrets
from tests.integration.api.support import Cli, Ended, document, nothing_written, operation

KINDS = {
    "clusters": "deploy",
    "products": "shop",
    "environments": "test",
    "projects": "web",
    "coderepos": "deploy",
    "coderepobindings": "deploy-for-web",
    "projectpipelineruntimes": "build",
    "deploymentruntimes": "web",
}
SHORT = {"cls": "deploy", "env": "test", "cr": "deploy", "ppr": "build", "Environment": "test"}


@pytest.fixture(scope="session")
def run(shop: Scenario) -> str:
    """A pipeline run, as `get runs` names it."""
    shop.run_pipeline()
    (found,) = json.loads(shop.nautes("team", "get", "runs", "-p", "shop", "-o", "json"))["items"]
    return str(found["run"])


def _who(kind: str) -> str:
    return "platform" if kind in ("clusters", "cls") else "team"


def _read(ended: Ended, form: str) -> Any:
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out) if form == "json" else yaml.safe_load(ended.out)


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_listed_in_forms_for_programs(cli: Cli, kind: str, form: str) -> None:
    found = _read(cli(_who(kind), "get", kind, "-p", "shop", "-o", form), form)
    assert KINDS[kind] in {each["name"] for each in found["items"]}


@pytest.mark.parametrize("kind", [*KINDS, *SHORT])
def test_every_kind_is_listed_for_people(shop: Scenario, cli: Cli, kind: str) -> None:
    ended = cli(_who(kind), "get", kind, "-p", "shop")
    assert (ended.code, ended.err) == (0, "")
    header, *lines = ended.out.splitlines()
    assert header.split()[0] == "NAME"
    assert {**KINDS, **SHORT}[kind] in {line.split()[0] for line in lines}
    assert secrets.within(ended.out, secrets.of(shop)) == []


def test_only_what_is_named_is_listed_and_what_is_not_there_is_an_error(cli: Cli) -> None:
    found = _read(cli("team", "get", "env", "build", "-p", "shop", "-o", "json"), "json")
    assert [each["name"] for each in found["items"]] == ["build"]
    ended = cli("team", "get", "env", "moon", "-p", "shop")
    assert (ended.code, ended.out, ended.err) == (1, "", "nautes: there is no environments moon\n")


def test_a_run_is_described(cli: Cli, run: str) -> None:
    for form in ("yaml", "json"):
        found = _read(cli("team", "describe", run, "-o", form), form)
        assert (found["product"], found["runtime"], found["phase"]) == ("shop", "build", "Succeeded")
    assert run in cli("team", "get", "runs", "-p", "shop").out
    assert cli("team", "describe", "run/shop/build/nothing").code == 1


USAGE = (
    (["get", "planets"], "unknown kind planets; known: clusters"),
    (["get", "projects"], "use -p"),
    (["get", "products", "-o", "xml"], "'xml' is not one of"),
    (["apply"], "Missing option"),
    (["apply", "-f", "nowhere.yaml"], "nowhere.yaml cannot be read"),
    (["apply", "-f", "."], "no manifest files"),
    (["describe", "web"], "run/<id>"),
    (["wait", "web"], "use -p"),
    (["wait", "web", "-p", "shop", "--for", "ever"], "--for is converged or ready"),
    (["pause", "pipeline/shop/build"], "for deployments"),
    (["nothing"], "No such command"),
)


@pytest.mark.parametrize(("arguments", "says"), USAGE, ids=[" ".join(each[0]) for each in USAGE])
def test_wrong_usage_ends_with_two(cli: Cli, arguments: list[str], says: str) -> None:
    ended = cli("team", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in " ".join(ended.err.split())


def test_manifests_come_from_files_directories_globs_and_standard_input(
    shop: Scenario, cli: Cli, tmp_path: Path
) -> None:
    names = ("a.yaml", "b.yml", "deep/c.json")
    for name in names:
        path = tmp_path / "set" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(document("Project", name=path.stem, product="shop"))
    (tmp_path / "set" / "notes.txt").write_text("no manifest")
    ways = {
        ("-f", "set"): {"a", "b", "c"},
        ("-f", "set/*.y*ml"): {"a", "b"},
        ("-f", "set/a.yaml", "-f", "set/deep/c.json"): {"a", "c"},
        ("-f", "-"): {"d"},
    }
    for arguments, expected in ways.items():
        with nothing_written(shop.world):
            ended = cli("team", "apply", *arguments, "--dry-run", stdin=document("Project", name="d", product="shop"))
        assert (ended.code, ended.err) == (0, "")
        lines = ended.out.splitlines()
        assert [each for each in lines if each.startswith("+ ")] == [f"+ Project/{name}" for name in sorted(expected)]
        assert lines[-1].startswith(
            f"Plan: resources: {len(expected)} to create, 0 to change, 0 to delete; in the systems: "
        )


def test_a_change_is_told_line_by_line_and_repeated_is_unchanged(cli: Cli) -> None:
    text = document("Project", name="told", product="shop")
    told = [cli("team", *each, "-f", "-", stdin=text) for each in (["apply"], ["apply"], ["remove"], ["remove"])]
    actions = ("created", "unchanged", "removed", "absent")
    assert [(each.code, each.out, each.err) for each in told] == [(0, f"Project/told {each}\n", "") for each in actions]


def test_who_does_not_wait_is_told_the_operation(shop: Scenario, cli: Cli) -> None:
    ended = cli("team", "apply", "-f", "-", "--wait", "0", stdin=document("Project", name="later", product="shop"))
    assert ended.code == 0
    key = ended.out.strip().removeprefix("still running: ")
    found = shop.api("GET", f"/api/v1/operations/{key}", "team", params={"wait": 60}).json()
    assert found["state"] == "done"
    assert cli("team", "cancel", key).out == "cancelling\n"


def test_findings_name_the_file_the_line_and_the_column(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(document("Project", name="good", product="shop"))
    (tmp_path / "wrong.yaml").write_text("kind: Project\nspec:\n  name: Wrong\n  product: shop\n  colour: red\n")
    ended = cli("team", "apply", "-f", "*.yaml")
    assert (ended.code, ended.out) == (1, "")
    assert "wrong.yaml:3:3: name: must match" in ended.err
    assert "wrong.yaml:5:3: unknown field 'colour' (schema-unknown-field)" in ended.err
    assert ended.err.endswith("nautes: the manifests are not valid\n")


def test_the_same_name_in_two_files_names_both(cli: Cli, tmp_path: Path) -> None:
    for name in ("one.yaml", "two.yaml"):
        (tmp_path / name).write_text("# a comment\n" + document("Project", name="web", product="shop"))
    ended = cli("team", "apply", "-f", "one.yaml", "-f", "two.yaml")
    assert ended.code == 1
    assert "two.yaml:2:1: Project/web is already declared at one.yaml:2" in ended.err


def test_the_tree_shows_what_is_wrong_and_all_only_when_asked(cli: Cli) -> None:
    brief, whole = cli("team", "status", "shop"), cli("team", "status", "shop", "--all")
    assert (brief.code, whole.code) == (0, 0)
    assert "all is as declared" in brief.out
    assert "deployment web" not in brief.out
    assert "deployment web  Converged" in whole.out
    assert "pipeline build  Ready" in whole.out
    assert _read(cli("team", "status", "shop", "-o", "json"), "json")["product"]["path"] == "shop"
    assert "shop" in cli("team", "status").out


def test_a_deployment_is_paused_and_resumed(cli: Cli) -> None:
    assert cli("team", "pause", "web", "-p", "shop").out == "web is Paused\n"
    paused = cli("team", "wait", "web", "-p", "shop", "--timeout", "0")
    assert (paused.code, "web is Paused" in paused.err) == (1, True)
    assert cli("team", "resume", "deployment/shop/web").code == 0
    waited = cli("team", "wait", "deployment/web", "-p", "shop", "--for=converged", "--timeout", "60")
    assert (waited.code, waited.err) == (0, "")
    assert waited.out.startswith("web is converged at ")
    assert cli("team", "sync", "web", "-p", "shop").code == 0
    assert cli("team", "wait", "pipeline/shop/build", "--for=ready").out == "build is ready\n"
    assert cli("team", "wait", "deployment/shop/nothing", "--timeout", "0").code == 1


def test_a_pipe_gets_plain_lines(shop: Scenario) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**kept, "TERM": "xterm-256color", "API_SERVER": shop.world.api_url, "LANG": "C.UTF-8"}
    environment["GIT_TOKEN"] = shop.people["team"].token
    command = [sys.executable, "-m", "nautes.cli.main", "status", "shop", "--all"]
    root = Path(sys.modules["nautes.cli.main"].__file__ or "").parents[2]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True, cwd=root)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""
    assert "deployment web" in done.stdout


def test_a_server_that_is_no_such_api_is_said_to_be_none(shop: Scenario, cli: Cli) -> None:
    other = cli("team", "get", "products", server=shop.world.temporal_ui_url)
    assert (other.code, other.out) == (1, "")
    assert "in another form than this API" in other.err
    assert cli("team", "get", "products", server="127.0.0.1:80").code == 2


def test_a_refusal_of_the_platform_is_told_with_what_was_undone(shop: Scenario, cli: Cli) -> None:
    text = document("Environment", name="moon", product="shop", cluster="moon", envType="test")
    answer = shop.api("POST", "/api/v1/apply", "team", content=text, params={"wait": 0})
    key = operation(answer)["operation"]
    found = shop.api("GET", f"/api/v1/operations/{key}", "team", params={"wait": 60}).json()
    ended = cli("team", "apply", "-f", "-", stdin=text)
    assert found["state"] == "refused"
    assert ended.code == 1
    assert ended.err.endswith(f"nautes: {found['message']}\n")
    assert "known: deploy, pipeline" in ended.err


def test_names_are_one_per_line(cli: Cli) -> None:
    ended = cli("team", "get", "env", "-p", "shop", "-o", "name")
    assert (ended.code, ended.err) == (0, "")
    assert {"Environment/test", "Environment/build"} <= set(ended.out.splitlines())


def test_a_resource_is_described_with_how_it_is(cli: Cli) -> None:
    web = _read(cli("team", "describe", "dr/web", "-p", "shop"), "yaml")
    assert web["resource"]["manifest_source"]["code_repo"] == "deploy"
    assert (web["status"]["phase"], web["explanation"][:19]) == ("Converged", "web is converged at")
    shop = _read(cli("team", "describe", "product", "shop", "-o", "json"), "json")
    assert (shop["resource"]["name"], shop["status"]["path"]) == ("shop", "shop")
    deploy = _read(cli("platform", "describe", "cluster", "deploy"), "yaml")
    assert (deploy["resource"]["usage"], deploy["status"]["phase"]) == ("worker", "Ready")
    assert cli("team", "describe", "env", "moon", "-p", "shop").code == 1


def test_server_and_token_may_stand_behind_the_command(shop: Scenario, cli: Cli) -> None:
    wrong = {"server": "http://127.0.0.1:9", "token": "glpat-of-nobody"}
    flags = ["-s", shop.world.api_url, "-t", shop.people["team"].token]
    assert "shop" in cli("team", "get", "products", *flags, **wrong).out
    assert "shop" in cli("team", *flags, "get", "products", **wrong).out


def test_a_login_is_checked_and_kept(shop: Scenario, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    wrong = cli("team", "login", "-t", "glpat-of-nobody")
    assert (wrong.code, wrong.out) == (1, "")
    assert not (tmp_path / "config").exists()
    token = shop.people["team"].token
    done = cli("team", "login", stdin=f"{token}\n")
    assert (done.code, token in done.out + done.err) == (0, False)
    assert (tmp_path / "config/nautes/credentials.json").stat().st_mode & 0o777 == 0o600
    assert cli("team", "login", "--logout").code == 0


def test_something_is_deleted_by_name(cli: Cli) -> None:
    assert cli("team", "apply", "-f", "-", stdin=document("Project", name="short", product="shop")).code == 0
    assert cli("team", "delete", "project", "short", "-p", "shop").code == 2, "nobody can be asked"
    ended = cli("team", "delete", "project", "short", "-p", "shop", "-y")
    assert (ended.code, ended.out, ended.err) == (0, "Project/short removed\n", "")
    again = cli("team", "delete", "project", "short", "-p", "shop", "-y")
    assert (again.code, again.err.startswith("nautes: Project/short: there is no ")) == (1, True)


def test_the_api_tells_its_version(shop: Scenario, cli: Cli) -> None:
    _, api = cli("team", "version").out.splitlines()
    assert api.startswith("API ") and api.endswith(f" at {shop.world.api_url}")
