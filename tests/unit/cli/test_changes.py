"""What `apply` and `remove` send, print and end with; operations are followed by events, else by asking."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.unit.cli.fake import (
    OPERATION,
    Asked,
    FakeApi,
    Nautes,
    Reply,
    event,
    finding,
    operation,
    operations,
    problem,
)

PROJECT = "kind: Project\nspec: {name: %s, product: shop}\n"
EVENTS = f"/api/v1/operations/{OPERATION}/events"
STATUS = f"/api/v1/operations/{OPERATION}"


@pytest.fixture(autouse=True)
def manifest() -> None:
    """`web.yaml` declares a project."""
    Path("web.yaml").write_text(PROJECT % "web")


@pytest.mark.parametrize("action", ["apply", "remove"])
def test_manifests_are_sent_as_one_change_set(action: str, nautes: Nautes, api: FakeApi) -> None:
    Path("b.yaml").write_text(PROJECT % "b")
    api.on("POST", f"/api/v1/{action}", operations(operation("done", "Project/b created", "Project/web unchanged")))
    ended = nautes(action, "-f", "b.yaml", "-f", "web.yaml")
    assert (ended.code, ended.out, ended.err) == (0, "Project/b created\nProject/web unchanged\n", "")
    asked = api.last("POST")
    assert (asked.body, asked.query) == ((PROJECT % "b") + "---\n" + (PROJECT % "web"), {"wait": ["30"]})
    assert asked.headers["Content-Type"] == "application/yaml"
    assert len(asked.headers["Idempotency-Key"]) == 32


def test_what_is_asked_for_is_sent(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/apply", operations(operation()))
    flags = ["-i", "--plan", "a", "--plan", "b", "--confirm-deletions", "0", "--wait", "5"]
    assert nautes("apply", "-f", "web.yaml", *flags).code == 0
    expected = {"insecure_skip_check": ["true"], "plan": ["a", "b"], "confirm_deletions": ["0"], "wait": ["5"]}
    assert api.last("POST").query == expected


def test_standard_input_is_a_manifest(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/apply", operations(operation("done", "Project/in created")))
    assert nautes("apply", "-f", "-", stdin=PROJECT % "in").out == "Project/in created\n"
    assert api.last("POST").body == PROJECT % "in"


def test_advice_and_older_defects_go_to_standard_error(nautes: Nautes, api: FakeApi) -> None:
    told = operation("done", "Project/web created", warnings=[finding("x", "name it", hint="so")])
    told["already"] = [finding("y", "Project/old has no language")]
    api.on("POST", "/api/v1/apply", operations(told))
    ended = nautes("apply", "-f", "web.yaml")
    assert ended.out == "Project/web created\n"
    assert ended.err == "was wrong before: Project/old has no language\nnote: name it (so)\n"


def test_a_refusal_names_file_line_and_column_of_what_it_is_about(nautes: Nautes, api: FakeApi) -> None:
    Path("a.yaml").write_text("# a comment\n" + PROJECT % "a")
    Path("env.yaml").write_text(
        "kind: Environment\nspec:\n  name: moon\n  product: shop\n  envType: test\n  cluster: moon\n"
    )
    wrong = finding(
        "environment-cluster",
        "there is no cluster moon",
        resource="Environment/moon",
        pointer="/spec/cluster",
        hint="known: deploy",
    )
    api.on("POST", "/api/v1/apply", problem(422, "environment-cluster", "there is no cluster moon", [wrong]))
    ended = nautes("apply", "-f", "a.yaml", "-f", "env.yaml")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "env.yaml:6:3: Environment/moon: there is no cluster moon (environment-cluster)\n"
        "  known: deploy\n"
        "nautes: there is no cluster moon\n"
    )


def test_a_line_of_the_whole_is_told_as_one_of_its_file(nautes: Nautes, api: FakeApi) -> None:
    Path("a.yaml").write_text(PROJECT % "a")
    wrong = finding("x", "not so", line=5, column=1)
    api.on("POST", "/api/v1/apply", problem(422, "x", "not so", [wrong]))
    assert "web.yaml:2:1: not so (x)\n" in nautes("apply", "-f", "a.yaml", "-f", "web.yaml").err


def test_what_is_wrong_here_is_not_sent(nautes: Nautes, api: FakeApi) -> None:
    Path("bad.yaml").write_text("kind: Projekt\nspec: {name: web, product: shop}\n")
    Path("key.yaml").write_text("kind: Project\nspec:\n  name: web\n  product: shop\n  languge: go\n")
    ended = nautes("apply", "-f", "bad.yaml", "-f", "key.yaml")
    assert (ended.code, ended.out, api.asked) == (1, "", [])
    assert "bad.yaml:1:1: unknown kind 'Projekt' (schema-unknown-kind)\n  did you mean 'Project'?" in ended.err
    assert "key.yaml:5:3: unknown field 'languge' (schema-unknown-field)\n  did you mean 'language'?" in ended.err


KUBECONFIG = """\
kind: Cluster
spec:
  name: deploy
  apiServer: https://c.invalid:6443
  clusterType: physical
  usage: worker
  workerType: deployment
  kubeconfig: |
    apiVersion: v1
    ---
    client-key-data: |
      -----BEGIN PRIVATE KEY-----
      c2VjcmV0LW9mLW5vYm9keQ==
      -----END PRIVATE KEY-----
"""


def test_p_a_kubeconfig_with_dashes_and_pem_is_one_document_and_is_never_printed(nautes: Nautes, api: FakeApi) -> None:
    Path("cluster.yaml").write_text(f"{KUBECONFIG}---\n{PROJECT % 'web'}")
    api.on("POST", "/api/v1/apply", operations(operation("done", "Cluster/deploy created", "Project/web created")))
    done = nautes("apply", "-f", "cluster.yaml")
    assert done.out == "Cluster/deploy created\nProject/web created\n"
    sent = list(yaml.safe_load_all(api.last("POST").body))
    assert [each["kind"] for each in sent] == ["Cluster", "Project"]
    assert "---\nclient-key-data" in sent[0]["spec"]["kubeconfig"]
    Path("cluster.yaml").write_text(KUBECONFIG.replace("usage: worker", "usage: [worker]") + "  extra: 1\n")
    wrong = nautes("apply", "-f", "cluster.yaml")
    assert wrong.code == 1
    for text in (done.out, done.err, wrong.out, wrong.err):
        assert "PRIVATE KEY" not in text
        assert "c2VjcmV0" not in text


class Platform:
    """Applies document by document, and stops once in the middle."""

    def __init__(self, stops_after: int) -> None:
        self.stored: dict[str, str] = {}
        self._stops_after = stops_after

    def apply(self, asked: Asked) -> Reply:
        """Every document that is not so yet; a 503 where it stops."""
        outcomes = []
        for document in yaml.safe_load_all(asked.body):
            key, text = f"{document['kind']}/{document['spec']['name']}", json.dumps(document)
            outcomes.append(f"{key} {'unchanged' if self.stored.get(key) == text else 'created'}")
            self.stored[key] = text
            self._stops_after -= 1
            if not self._stops_after:
                return problem(503, "worker-unavailable", "no worker took the command; send it again")
        return operations(operation("done", *outcomes))


def test_o_an_apply_that_stopped_in_the_middle_is_run_again(nautes: Nautes, api: FakeApi) -> None:
    Path("all.yaml").write_text("---\n".join(PROJECT % name for name in "abc"))
    platform = Platform(stops_after=2)
    api.on("POST", "/api/v1/apply", platform.apply)
    first = nautes("apply", "-f", "all.yaml")
    assert (first.code, first.out) == (1, "")
    assert first.err == "nautes: no worker took the command; send it again\n"
    again = nautes("apply", "-f", "all.yaml")
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines() == ["Project/a unchanged", "Project/b unchanged", "Project/c created"]
    assert len({each.headers["Idempotency-Key"] for each in api.asked}) == 2, "another run is another request"


def test_an_outage_is_waited_for_under_the_same_key(
    nautes: Nautes, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nautes.cli.client.TIMEOUT", 60.0)
    busy = problem(503, "x", "later")
    api.on("POST", "/api/v1/apply", Reply(503, busy.json, headers={"Retry-After": "0"}), operations(operation()))
    assert nautes("apply", "-f", "web.yaml").code == 0
    assert len({each.headers["Idempotency-Key"] for each in api.asked}) == 1
    assert len(api.asked) == 2


RUNNING = operation("running")
STEP = {"operation": OPERATION, "step": "Group shop", "done": [], "retry": None}
RETRY = {**STEP, "retry": {"step": "ensure_group", "attempt": 3, "error": "502", "next_try": "2026-11-24T10:00:00Z"}}


def test_the_steps_of_an_operation_are_told_as_they_come(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/apply", operations(RUNNING))
    told = (": alive\n", event("step", STEP), event("step", STEP), event("step", RETRY))
    api.on("GET", EVENTS, Reply(events=(*told, event("end", operation("done", "Project/web created")))))
    ended = nautes("apply", "-f", "web.yaml")
    assert (ended.code, ended.out) == (0, "Project/web created\n")
    assert ended.err.splitlines() == [
        f"{OPERATION} (Group shop)",
        f"{OPERATION} (Group shop, ensure_group failed 2 times, last: 502)",
    ]


def test_an_api_without_events_is_asked_again(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/apply", operations(RUNNING))
    api.on(
        "GET", STATUS, Reply(json={**STEP, "state": "running"}), Reply(json=operation("done", "Project/web created"))
    )
    ended = nautes("apply", "-f", "web.yaml")
    assert (ended.code, ended.out, ended.err) == (0, "Project/web created\n", f"{OPERATION} (Group shop)\n")
    assert [each.path for each in api.asked if each.method == "GET"] == [EVENTS, STATUS, STATUS]


def test_a_stream_that_breaks_off_is_taken_up_again(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/apply", operations(RUNNING))
    api.on("GET", STATUS, Reply(json={**STEP, "state": "running"}))
    end = event("end", operation("done", "Project/web created"))
    api.on("GET", EVENTS, Reply(events=(event("step", STEP),)), Reply(events=(end,)))
    assert nautes("apply", "-f", "web.yaml").out == "Project/web created\n"


@pytest.mark.parametrize("state", ["refused", "cancelled", "failed"])
def test_an_end_that_is_no_success_is_an_error_with_what_was_undone(state: str, nautes: Nautes, api: FakeApi) -> None:
    bad = operation(state, "Project/web refused", message="no such cluster", undone=["group shop", "key"])
    bad["findings"] = [finding("x", "no such cluster", hint="look")]
    api.on("POST", "/api/v1/apply", operations(RUNNING, operation("done", "Project/other created")))
    api.on("GET", EVENTS, Reply(events=(event("end", bad),)))
    ended = nautes("apply", "-f", "web.yaml")
    assert (ended.code, ended.out) == (1, "Project/other created\n")
    assert ended.err == "no such cluster\n  look\nnautes: no such cluster; undone: group shop, key\n"


def test_who_does_not_wait_gets_the_operation(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/apply", operations(RUNNING))
    ended = nautes("apply", "-f", "web.yaml", "--wait", "0")
    assert (ended.code, ended.out, ended.err) == (0, f"still running: {OPERATION}\n", "")
    assert len(api.asked) == 1


def test_an_interrupted_command_says_that_its_operation_goes_on(
    nautes: Nautes, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    api.on("POST", "/api/v1/apply", operations(RUNNING))
    monkeypatch.setattr("nautes.cli.client.Api.get", interrupted)
    ended = nautes("apply", "-f", "web.yaml")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == f"note: it goes on; `nautes cancel {OPERATION}` undoes it\n"


def test_who_waited_too_short_is_told_what_it_waits_for(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/apply", operations(RUNNING))

    def slow(asked: Asked) -> Reply:
        return Reply(json={**RETRY, "state": "running"})

    api.on("GET", STATUS, slow)
    ended = nautes("apply", "-f", "web.yaml", "--wait", "1")
    assert (ended.code, ended.out) == (1, f"still running: {OPERATION}\n")
    why = f"{OPERATION} (Group shop, ensure_group failed 2 times, last: 502)"
    assert ended.err.endswith(f"nautes: still running after 1 s: {why}\n")


UNCONFIRMED = finding("deletions-unconfirmed", "7 resources would go", hint="confirm with --confirm-deletions 7")


def test_in_a_pipe_deletions_are_confirmed_by_the_flag_only(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/remove", problem(422, "deletions-unconfirmed", "7 resources would go", [UNCONFIRMED]))
    ended = nautes("remove", "-f", "web.yaml", stdin="7\n")
    assert (ended.code, ended.out, len(api.asked)) == (1, "", 1)
    assert "  confirm with --confirm-deletions 7\n" in ended.err


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (problem(412, "precondition-failed", "it has changed"), 1, "nautes: it has changed\n"),
        (problem(409, "plan-stale", "the plan is out of date"), 1, "nautes: the plan is out of date\n"),
        (problem(403, "forbidden", "you need to push to main of shop/default.project"), 1, "default.project\n"),
    ],
    ids=["changed", "stale", "forbidden"],
)
def test_problems_end_with_one_and_their_text(
    answer: Reply, code: int, said: str, nautes: Nautes, api: FakeApi
) -> None:
    api.on("POST", "/api/v1/apply", answer)
    ended = nautes("apply", "-f", "web.yaml", "--plan", "x")
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.endswith(said)
