"""Declarations by plain Git: valid resources take effect, a comment on the commit reports the others, nothing is destroyed."""

from __future__ import annotations

from typing import Any

import yaml

from nautes_sandbox.scenario import Scenario
from tests.integration.scenarios.support import (
    change,
    comments,
    deployment,
    done,
    environment,
    keys,
    listed,
    made,
    number,
    project,
    pushed,
    repository,
    status,
    taken,
)
from tests.waiting import until

GROUP = "nautes.resource.nautes.io/v1alpha1"


def _stored(kind: str, name: str, **spec: Any) -> str:
    """A file as the original system wrote it."""
    metadata = {"name": name, "creationTimestamp": None}
    return yaml.safe_dump({"apiVersion": GROUP, "kind": kind, "metadata": metadata, "spec": spec})


def _product_id(story: Scenario, of: str) -> str:
    return f"product-{story.gitlab(f'/groups/{of}')['id']}"


def _environment(story: Scenario, of: str, cluster: str) -> str:
    return _stored("Environment", "test", product=_product_id(story, of), cluster=cluster, envType="test")


def _runtime(story: Scenario, of: str, name: str, **more: Any) -> str:
    repository_id = f"repo-{number(story, f'{of}/deploy')}"
    spec = {
        "product": _product_id(story, of),
        "manifestSource": {"codeRepo": repository_id, "targetRevision": "main", "path": "production"},
        "destination": {"environment": "test", "namespaces": [f"{of}-{name}"]},
    }
    return _stored("DeploymentRuntime", name, **{**spec, **more})


def _runs(story: Scenario, of: str) -> dict[str, str]:
    tree = story.api("GET", f"/api/v1/products/{of}/status", "team").json()
    return {each["runtime"]: each["phase"] for each in tree["deployments"]}


def test_what_is_right_takes_effect(story: Scenario) -> None:
    of = made(story, "pushed", repository("deploy"))
    files = {
        "envs/test.yaml": _environment(story, of, story.deploy_cluster),
        "runtimes/live.yaml": _runtime(story, of, "live"),
    }
    commit = pushed(story, of, dict(files))
    found = taken(story, of, commit)
    assert (found["findings"], [each["name"] for each in found["runtimes"]]) == ([], ["live"])
    until(lambda: _runs(story, of).get("live") not in (None, "Pending", "Claiming"), "the runtime is at work")
    users = story.api(
        "GET", f"/api/v1/clusters/{story.deploy_cluster}/users", "platform", params={"limit": 1000}
    ).json()
    assert f"environment/{of}/test" in {each["name"] for each in users["users"]}
    assert comments(story, f"{of}/default.project", commit) == []


def test_what_is_wrong_is_refused_alone_with_a_comment_on_the_commit(story: Scenario) -> None:
    of = made(story, "mixed", repository("deploy"))
    files = {
        "envs/test.yaml": _environment(story, of, story.deploy_cluster),
        "envs/lost.yaml": _stored(
            "Environment", "lost", product=_product_id(story, of), cluster="nowhere", envType="x"
        ),
        "runtimes/live.yaml": _runtime(story, of, "live"),
        "runtimes/stray.yaml": _runtime(story, of, "stray", destination={"environment": "lost"}),
    }
    commit = pushed(story, of, dict(files))
    found = taken(story, of, commit)
    assert {each["resource"] for each in found["findings"]} == {"Environment/lost", "DeploymentRuntime/stray"}
    assert [each["name"] for each in found["runtimes"]] == ["live"]
    (note,) = until(lambda: comments(story, f"{of}/default.project", commit), "a comment beside the commit")
    assert "Environment/lost" in note and "nowhere is not registered" in note
    mended = pushed(story, of, {"envs/lost.yaml": None, "runtimes/stray.yaml": None})
    assert taken(story, of, mended)["findings"] == []


def test_nothing_is_destroyed_because_a_file_does_not_parse(story: Scenario) -> None:
    of = made(
        story,
        "typo",
        repository("deploy"),
        environment("test", story.deploy_cluster),
        deployment("live", "deploy", "$product-live"),
    )
    until(lambda: _runs(story, of).get("live") not in (None, "Pending", "Claiming"), "the runtime is at work")
    commit = pushed(story, of, {"runtimes/live.yaml": "kind: DeploymentRuntime\nspec: [oh, no\n"})
    found = taken(story, of, commit)
    assert found["findings"] and "runtimes/live.yaml" in found["findings"][0]["message"]
    assert [each["name"] for each in found["runtimes"]] == ["live"]
    assert _runs(story, of)["live"] != "Removing"
    until(lambda: comments(story, f"{of}/default.project", commit), "a comment beside the commit")
    mended = pushed(story, of, {"runtimes/live.yaml": None})
    found = taken(story, of, mended)
    assert (found["findings"], found["runtimes"]) == ([], [])


def test_a_repository_of_another_product_is_not_taken_by_its_id(story: Scenario) -> None:
    theirs = made(story, "theirs", repository("code"), who="ada")
    of = made(story, "greedy", repository("deploy"))
    victim = number(story, f"{theirs}/code")
    before = keys(story, f"{theirs}/code")
    name = f"repo-{victim}"
    file = _stored("CodeRepo", name, product=_product_id(story, of), repoName="code")
    commit = pushed(story, of, {f"code-repos/{name}/{name}.yaml": file})
    found = taken(story, of, commit)
    assert "repository-id" in {each["rule"] for each in found["findings"]}
    assert keys(story, f"{theirs}/code") == before


def test_many_deletions_by_a_push_wait_for_a_confirmation(story: Scenario) -> None:
    names = [f"p{index}" for index in range(6)]
    of = made(story, "many", *(project(name) for name in names))
    gone: dict[str, str | None] = {f"projects/{name}/{name}.yaml": None for name in names}
    commit = pushed(story, of, gone)
    found = taken(story, of, commit)
    assert {each["rule"] for each in found["findings"]} == {"deletions-unconfirmed"}
    confirmed = pushed(story, of, {"notes.txt": "yes"}, "All six go\n\nNautes-Confirm-Deletions: 6")
    assert taken(story, of, confirmed)["findings"] == []


def test_a_change_of_the_api_goes_on_beside_what_a_push_broke(story: Scenario) -> None:
    of = made(story, "beside")
    broken = _stored("Environment", "lost", product=_product_id(story, of), cluster="nowhere", envType="x")
    taken(story, of, pushed(story, of, {"envs/lost.yaml": broken}))
    answer = change(story, "team", project("web", of))
    assert done(answer) == {"Project/web": "created"}
    assert {each["resource"] for each in status(story, of)["findings"]} == {"Environment/lost"}
    assert listed(story, of, "projects") == {"web"}
