"""What `get`, `describe`, `status`, `explain` and `history` ask for and print; pages, selectors, and what is not there."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.unit.cli.fake import OPERATION, Asked, FakeApi, Nautes, Reply, operation, problem

SHOP = "/api/v1/products/shop"
RUN = {
    "product": "shop",
    "runtime": "build",
    "event": "push-1",
    "trigger": "main",
    "pipeline": "p",
    "phase": "Succeeded",
}
NAMES = {
    "clusters": ("cluster", "clusters", "cls"),
    "products": ("product", "products", "prod", "prods"),
    "environments": ("environment", "environments", "env", "envs"),
    "projects": ("project", "projects", "pro", "pros", "proj"),
    "coderepos": ("coderepo", "coderepos", "cr", "crs", "CodeRepo"),
    "coderepobindings": ("coderepobinding", "coderepobindings", "crb", "crbs"),
    "projectpipelineruntimes": ("projectpipelineruntime", "projectpipelineruntimes", "ppr", "pprs"),
    "deploymentruntimes": ("deploymentruntime", "deploymentruntimes", "dr", "drs"),
    "runs": ("run", "runs"),
}


@pytest.mark.parametrize(("plural", "word"), [(plural, word) for plural, words in NAMES.items() for word in words])
def test_every_kind_has_the_names_of_the_original(plural: str, word: str, nautes: Nautes, api: FakeApi) -> None:
    base = "/api/v1" if plural in ("clusters", "products") else SHOP
    item = {"name": "x", **(RUN if plural == "runs" else {})}
    api.on("GET", f"{base}/{plural}", Reply(json={"items": [item]}))
    ended = nautes("get", word, "-p", "shop", "-o", "name")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.lower().startswith(f"{plural[:-1]}/")


class Pages:
    """A list of so many projects, in pages, as the API gives them."""

    def __init__(self, total: int) -> None:
        self.names = [f"p{number}" for number in range(total)]

    def answer(self, asked: Asked) -> Reply:
        """The page at the cursor."""
        begin, size = int(asked.query.get("cursor", ["0"])[0]), int(asked.query["limit"][0])
        end = begin + size
        page = [{"name": each} for each in self.names[begin:end]]
        return Reply(json={"items": page, "next": str(end) if end < len(self.names) else None})


@pytest.mark.parametrize(
    ("asked_for", "found", "requests"), [((), 1200, 3), (("--limit", "700"), 700, 2), (("--limit", "3"), 3, 1)]
)
def test_pages_are_followed(
    asked_for: tuple[str, ...], found: int, requests: int, nautes: Nautes, api: FakeApi
) -> None:
    api.on("GET", f"{SHOP}/projects", Pages(1200).answer)
    ended = nautes("get", "projects", "-p", "shop", "-o", "name", *asked_for)
    assert ended.out.splitlines() == [f"Project/p{number}" for number in range(found)]
    assert len(api.asked) == requests


def test_pages_that_are_gone_are_read_anew(nautes: Nautes, api: FakeApi) -> None:
    first, pages = Reply(json={"items": [{"name": "old"}], "next": "1"}), Pages(2).answer
    api.on("GET", f"{SHOP}/projects", first, problem(410, "cursor-expired", "begin anew"), pages)
    assert nautes("get", "projects", "-p", "shop", "-o", "name").out == "Project/p0\nProject/p1\n"
    api.on("GET", f"{SHOP}/projects", problem(410, "cursor-expired", "begin anew"))
    ended = nautes("get", "projects", "-p", "shop")
    assert (ended.code, "changes faster than it can be read" in ended.err) == (1, True)


def test_a_selector_is_passed_on(nautes: Nautes, api: FakeApi) -> None:
    api.on("GET", f"{SHOP}/environments", Reply(json={"items": [{"name": "test"}, {"name": "prod"}]}))
    ended = nautes("get", "env", "-p", "shop", "-l", "cluster=a,env_type=test", "-o", "name")
    assert ended.out == "Environment/test\nEnvironment/prod\n"
    assert api.last("GET").query["field_selector"] == ["cluster=a,env_type=test"]
    api.on("GET", f"{SHOP}/environments", problem(422, "filter-invalid", "unknown field colour"))
    assert nautes("get", "env", "-p", "shop", "-l", "colour=red").err == "nautes: unknown field colour\n"


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_names_are_asked_for_one_by_one(form: str, nautes: Nautes, api: FakeApi) -> None:
    for name in ("web", "api"):
        api.on("GET", f"{SHOP}/projects/{name}", Reply(json={"name": name, "language": "go"}))
    ended = nautes("get", "projects", "web", "api", "web", "-p", "shop", "-o", form)
    found: Any = json.loads(ended.out) if form == "json" else yaml.safe_load(ended.out)
    assert found == {"items": [{"name": "web", "language": "go"}, {"name": "api", "language": "go"}]}
    assert (ended.code, ended.err) == (0, "")


def test_what_is_not_there_is_an_error(nautes: Nautes, api: FakeApi) -> None:
    api.on("GET", f"{SHOP}/projects", Reply(json={"items": []}))
    api.on("GET", f"{SHOP}/projects/web", Reply(json={"name": "web"}))
    ended = nautes("get", "projects", "web", "moon", "-p", "shop")
    assert (ended.code, ended.out, ended.err) == (1, "", "nautes: there is no projects moon\n")
    assert nautes("get", "projects", "moon", "-p", "shop").err == "nautes: there is no projects moon\n"
    hidden = problem(404, "not-found", "there is no shop/default.project, or you may not know of it")
    api.on("GET", f"{SHOP}/projects", hidden)
    assert "you may not know of it" in nautes("get", "projects", "moon", "-p", "shop").err


def test_runs_are_listed_by_their_id(nautes: Nautes, api: FakeApi) -> None:
    api.on("GET", f"{SHOP}/runs", Reply(json={"items": [RUN, {**RUN, "event": "push-2"}], "next": None}))
    ended = nautes("get", "runs", "-p", "shop", "--limit", "1", "-o", "name")
    assert ended.out == "run/shop/build/push-1-main-p\n"
    wide = nautes("get", "runs", "run/shop/build/push-2-main-p", "-p", "shop")
    assert [line.split()[0] for line in wide.out.splitlines()] == ["RUN", "run/shop/build/push-2-main-p"]


def test_a_run_is_described(nautes: Nautes, api: FakeApi) -> None:
    api.on("GET", "/api/v1/runs/run/shop/build/push-1-main-p", Reply(json=RUN))
    assert yaml.safe_load(nautes("describe", "run/shop/build/push-1-main-p").out) == RUN


TREE: dict[str, Any] = {
    "product": {
        "path": "shop",
        "phase": "Idle",
        "commit": "9" * 40,
        "findings": [],
        "environments": {"test": "deploy"},
        "runtimes": [
            {"kind": "DeploymentRuntime", "name": "web", "environment": "test", "workflow": "deployment/shop/web"}
        ],
    },
    "deployments": [{"runtime": "web", "phase": "Waiting"}],
    "pipelines": [{"runtime": "build", "phase": "Ready"}],
    "ui": "",
}
ENTRY = {
    **operation("done", "DeploymentRuntime/web changed"),
    "started": "2026-11-24T09:00:00Z",
    "source": "git",
    "action": "push",
    "requester": {"username": "ann", "name": "Ann"},
    "commit": "abcdef0123456789",
    "retries": 3,
}
OTHER = {**ENTRY, "outcomes": [{"resource": "Project/x", "action": "created"}]}


@pytest.fixture
def shop(api: FakeApi) -> FakeApi:
    """A product with one deployment that is not ready, and two operations behind it."""
    api.on("GET", f"{SHOP}/status", Reply(json=TREE))
    api.on("GET", f"{SHOP}/timeline", Reply(json={"items": [ENTRY, OTHER], "next": None}))
    api.on("GET", "/api/v1/explain/deployment/shop/web", Reply(json={"ready": False, "line": "web is Waiting: 0 of 1"}))
    return api


@pytest.mark.parametrize("words", [("dr/web",), ("dr", "web")])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_runtime_is_described_with_status_reason_and_operations(
    words: tuple[str, ...], form: str, nautes: Nautes, shop: FakeApi
) -> None:
    shop.on("GET", f"{SHOP}/deploymentruntimes/web", Reply(json={"name": "web", "account": "a"}))
    shop.on("GET", f"{SHOP}/deploymentruntimes/web/status", Reply(json={"runtime": "web", "phase": "Waiting"}))
    ended = nautes("describe", *words, "-p", "shop", "-o", form)
    found: Any = json.loads(ended.out) if form == "json" else yaml.safe_load(ended.out)
    assert found == {
        "resource": {"name": "web", "account": "a"},
        "status": {"runtime": "web", "phase": "Waiting"},
        "explanation": "web is Waiting: 0 of 1",
        "operations": [ENTRY],
    }


def test_other_kinds_are_described_with_what_can_be_said_of_them(nautes: Nautes, shop: FakeApi) -> None:
    shop.on("GET", SHOP, Reply(json={"name": "shop"}))
    shop.on("GET", f"{SHOP}/environments/test", Reply(json={"name": "test"}))
    shop.on("GET", f"{SHOP}/projects/x", Reply(json={"name": "x"}))
    shop.on("GET", "/api/v1/clusters/deploy", Reply(json={"name": "deploy"}))
    shop.on("GET", "/api/v1/clusters/deploy/status", Reply(json={"phase": "Ready"}))

    def described(*words: str) -> Any:
        return yaml.safe_load(nautes("describe", *words).out)

    product = {"resource": {"name": "shop"}, "status": TREE["product"], "operations": [ENTRY, OTHER]}
    assert described("product", "shop") == product
    environment = {"resource": {"name": "test"}, "runtimes": TREE["product"]["runtimes"], "operations": []}
    assert described("env", "test", "-p", "shop") == environment
    assert described("project", "x", "-p", "shop") == {"resource": {"name": "x"}, "operations": [OTHER]}
    cluster = {"resource": {"name": "deploy"}, "status": {"phase": "Ready"}, "operations": []}
    assert described("cluster/deploy") == cluster, "an API without timelines tells no operations"


def test_what_is_not_there_cannot_be_described(nautes: Nautes, shop: FakeApi) -> None:
    ended = nautes("describe", "env", "moon", "-p", "shop")
    assert (ended.code, ended.out) == (1, "")


def test_history_is_a_table_or_data(nautes: Nautes, shop: FakeApi) -> None:
    header, line, _ = nautes("history", "shop").out.splitlines()
    assert header.split() == [
        "STARTED",
        "USERNAME",
        "SOURCE",
        "ACTION",
        "STATE",
        "COMMIT",
        "RETRIES",
        "OPERATION",
        "WHAT",
    ]
    expected = ["2026-11-24T09:00:00Z", "ann", "git", "push", "done", "abcdef012345", "3", OPERATION]
    assert line.split()[:8] == expected
    assert line.endswith("DeploymentRuntime/web changed")
    assert shop.last("GET").query["limit"] == ["20"]
    assert json.loads(nautes("history", "-p", "shop", "-o", "json").out) == {"items": [ENTRY, OTHER]}
    assert yaml.safe_load(nautes("history", "shop", "--limit", "1", "-o", "yaml").out) == {"items": [ENTRY]}


def test_history_of_a_cluster(nautes: Nautes, api: FakeApi) -> None:
    api.on("GET", "/api/v1/clusters/deploy/timeline", Reply(json={"items": [ENTRY]}))
    assert OPERATION in nautes("history", "cluster/deploy").out


def test_status_shows_every_product_and_one_that_fails_hides_none(nautes: Nautes, shop: FakeApi) -> None:
    shop.on("GET", "/api/v1/products", Reply(json={"items": [{"name": "gone"}, {"name": "shop"}]}))
    tree = {**TREE, "deployments": [], "pipelines": []}
    shop.on("GET", f"{SHOP}/status", Reply(json=tree))
    ended = nautes("status")
    assert (ended.code, ended.out.startswith("shop  Idle  999999999999")) == (0, True)
    assert ended.err.startswith("gone: ")
    assert json.loads(nautes("status", "shop", "-o", "json").out) == tree
    assert nautes("status", "gone").code == 1


def test_explain_is_one_line(nautes: Nautes, shop: FakeApi) -> None:
    for words in (("deployment/shop/web",), ("web", "-p", "shop"), ("deployment/web", "-p", "shop")):
        assert nautes("explain", *words).out == "web is Waiting: 0 of 1\n"


def test_what_is_shown_is_printed_as_manifests_that_apply_takes(nautes: Nautes, api: FakeApi) -> None:
    shown = {"name": "web", "product": "shop", "language": "go"}
    api.on("GET", f"{SHOP}/projects", Reply(json={"items": [shown, {**shown, "name": "app", "language": ""}]}))
    ended = nautes("get", "projects", "-p", "shop", "-o", "manifest")
    found = list(yaml.safe_load_all(ended.out))
    assert [each["spec"] for each in found] == [shown, {"name": "app", "product": "shop"}]
    assert {each["kind"] for each in found} == {"Project"}


def test_runs_have_no_manifest(nautes: Nautes, api: FakeApi) -> None:
    api.on("GET", f"{SHOP}/runs", Reply(json={"items": [RUN], "next": None}))
    assert nautes("get", "runs", "-p", "shop", "-o", "manifest").code == 2
