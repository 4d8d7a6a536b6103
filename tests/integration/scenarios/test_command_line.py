"""The command line against the whole platform: planned, applied exactly so, looked back at, followed."""

from __future__ import annotations

import json
import re
from typing import Any

from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import Cli, document, product, together
from tests.integration.scenarios.support import change, done, environment, made, project, pushed, taken, unique
from tests.waiting import until


def _history(cli: Cli, of: str) -> list[dict[str, Any]]:
    ended = cli("team", "history", of, "-o", "json")
    assert ended.code == 0, ended.err
    return list(json.loads(ended.out)["items"])


def test_a_plan_is_shown_named_and_applied(story: Scenario, cli: Cli) -> None:
    of = unique("cliplan")
    text = together(product(of), document("Project", name="web", product=of, language="go"))
    planned = cli("team", "plan", "-f", "-", stdin=text)
    assert planned.code == 0, planned.err
    lines = planned.out.splitlines()
    assert any(line.startswith("+ ") and f"Product/{of}" in line for line in lines)
    assert re.fullmatch(
        r"Plan: resources: \d+ to create, 0 to change, 0 to delete; "
        r"in the systems: \d+ to create, 0 to change, 0 to replace, 0 to delete\.",
        lines[-2],
    )
    (plan,) = set(re.findall(r"--plan ([0-9a-f]{16})", planned.out))
    applied = cli("team", "apply", "-f", "-", "--plan", plan, stdin=text)
    assert (applied.code, "Project/web created" in applied.out) == (0, True), applied.err
    assert cli("team", "diff", "-f", "-", stdin=text).code == 0
    changed = text.replace('"go"', '"rust"')
    shown = cli("team", "diff", "-f", "-", stdin=changed)
    assert shown.code == 1
    assert "go" in shown.out and "rust" in shown.out


def test_a_plan_of_a_cluster_has_no_effect(story: Scenario, cli: Cli) -> None:
    name = unique("planned")
    text = document(
        "Cluster",
        name=name,
        apiServer="https://127.0.0.1:1",
        clusterType="physical",
        usage="worker",
        workerType="deployment",
    )
    planned = cli("platform", "plan", "-f", "-", stdin=text)
    assert planned.code == 0, planned.err
    assert f"Cluster/{name}" in planned.out and f"auth/{name}" in planned.out
    found = json.loads(cli("platform", "get", "clusters", "-o", "json").out)
    assert name not in {each["name"] for each in found["items"]}


def test_history_shows_who_did_what_through_git_and_the_api(story: Scenario, cli: Cli) -> None:
    of = made(story, "told", project())
    change(story, "team", environment("lost", "nowhere", of))
    change(story, "team", environment("lost", "nowhere", of), insecure_skip_check=True)
    commit = pushed(story, of, {"projects/app/app.yaml": _stored(story, of, "app")})
    taken(story, of, commit)
    until(
        lambda: len(_history(cli, of)) >= 4 and _history(cli, of)[0]["state"] != "running", "all of it in the history"
    )
    newest, forced, refused, first = _history(cli, of)[:4]
    assert (newest["source"], newest["action"], newest["commit"]) == ("git", "push", commit)
    assert [(each["resource"], each["action"]) for each in newest["outcomes"]] == [("Project/app", "created")]
    assert (forced["skip_check"], forced["state"], forced["requester"]["username"]) == (True, "done", "team")
    assert (refused["state"], [each["rule"] for each in refused["findings"]]) == (
        "refused",
        ["environment-cluster-unknown"],
    )
    assert first["state"] == "done"
    assert {each["step"] for each in first["calls"]} >= {
        "products.plan",
        "gitlab.ensure_group",
        "products.commit_files",
    }
    table = cli("team", "history", of)
    assert table.code == 0 and "refused" in table.out


def test_an_operation_is_followed_to_its_end(story: Scenario, cli: Cli) -> None:
    of = made(story, "followed")
    ended = cli("team", "apply", "-f", "-", "--wait", "0", stdin=project("web", of))
    assert ended.code == 0, ended.err
    (operation,) = re.findall(rf"change/{of}/\S+", ended.out)
    followed = cli("team", "events", operation)
    assert followed.code == 0, followed.err
    assert "Project/web created" in followed.out or "done" in followed.out


def test_everything_about_one_thing(story: Scenario, cli: Cli) -> None:
    of = made(story, "described", project())
    ended = cli("team", "describe", "project/web", "-p", of, "-o", "json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["resource"]["name"] == "web"
    assert found["operations"][0]["state"] == "done"


def test_what_get_prints_can_be_applied(story: Scenario, cli: Cli) -> None:
    of = made(story, "again", project(), environment("test", story.deploy_cluster))
    texts = [cli("team", "get", kind, "-p", of, "-o", "manifest").out for kind in ("projects", "environments")]
    applied = cli("team", "apply", "-f", "-", stdin="".join(texts))
    assert (applied.code, set(applied.out.split())) == (
        0,
        {"Project/web", "Environment/test", "unchanged"},
    ), applied.err
    assert set(done(change(story, "team", project("web", of))).values()) == {"unchanged"}


def _stored(story: Scenario, of: str, name: str) -> str:
    group = story.gitlab(f"/groups/{of}")["id"]
    spec = {"product": f"product-{group}", "language": "c"}
    version = "nautes.resource.nautes.io/v1alpha1"
    return json.dumps({"apiVersion": version, "kind": "Project", "metadata": {"name": name}, "spec": spec})
