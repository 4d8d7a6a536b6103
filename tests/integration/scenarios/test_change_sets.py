"""Change sets: planned first, applied exactly so, counted before anything goes, and two who want the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import nothing_written, operation, problem, product
from tests.integration.scenarios.support import (
    change,
    deployment,
    done,
    environment,
    findings,
    listed,
    made,
    project,
    repository,
    unique,
)


def test_a_plan_shows_per_system_what_is_then_done(story: Scenario) -> None:
    of = unique("planned")
    documents = [product(of), project("web", of), repository("code", "web", of)]
    with nothing_written(story.world):
        planned = operation(change(story, "team", *documents, dry_run=True))
    lines = {(each["system"], each["action"], each["target"]) for each in planned["effects"]}
    assert lines >= {
        ("gitlab", "create", f"group {of}"),
        ("gitlab", "create", f"repository {of}/default.project"),
        ("gitlab", "create", f"repository {of}/code"),
        ("gitlab", "create", f"webhook of {of}/code"),
        ("vault", "create", f"secret webhook of {of}/code"),
        ("vault", "create", f"secret deploy key readwrite of {of}/code"),
        ("vault", "create", f"policy access token of {of}/code"),
        ("git", "create", "Project/web"),
        ("git", "create", "CodeRepo/code"),
    }
    assert set(done(change(story, "team", *documents, plan=planned["plan"])).values()) == {"created"}


def test_a_plan_shows_fields(story: Scenario) -> None:
    of = made(story, "fields", project())
    changed = project("web", of).replace("python", "go")
    planned = operation(change(story, "team", changed, dry_run=True))
    (line,) = planned["effects"]
    assert line["fields"] == [{"pointer": "/spec/language", "before": "python", "after": "go"}]


def test_an_apply_of_a_stale_plan_is_refused(story: Scenario) -> None:
    of = made(story, "moved")
    planned = operation(change(story, "team", project("web", of), dry_run=True))
    done(change(story, "team", project("other", of)))
    with nothing_written(story.world):
        answer = change(story, "team", project("web", of), plan=planned["plan"])
    problem(answer, 409, "plan-stale")


def test_many_deletions_need_a_confirmation(story: Scenario) -> None:
    names = [f"p{index}" for index in range(5)]
    of = made(story, "counted", *(project(name) for name in names))
    documents = [project(name, of) for name in names]
    with nothing_written(story.world):
        refused = change(story, "team", *documents, action="remove")
    assert findings(refused) == {"deletions-unconfirmed"}
    assert findings(change(story, "team", *documents, action="remove", confirm_deletions=4)) == {
        "deletions-unconfirmed"
    }
    assert set(done(change(story, "team", *documents, action="remove", confirm_deletions=5)).values()) == {"removed"}


def test_a_deletion_in_a_protected_environment_needs_a_confirmation(story: Scenario) -> None:
    of = made(
        story,
        "guarded",
        repository("deploy"),
        environment("test", story.deploy_cluster, protected=True),
        deployment("live", "deploy", "$product-live"),
    )
    runtime = deployment("live", "deploy", f"{of}-live", of)
    assert findings(change(story, "team", runtime, action="remove")) == {"deletions-unconfirmed"}
    assert done(change(story, "team", runtime, action="remove", confirm_deletions=1)) == {
        "DeploymentRuntime/live": "removed"
    }


def test_two_products_want_one_namespace_at_once_and_one_has_it(story: Scenario) -> None:
    space = unique("space")
    owners = [made(story, "rival", repository("deploy"), environment("test", story.deploy_cluster)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        wanted = [(of, deployment("live", "deploy", space, of)) for of in owners]
        answers = list(pool.map(lambda pair: change(story, "team", pair[1]), wanted))
    assert sorted(each.status_code for each in answers) == [200, 422]
    (refused,) = [each for each in answers if each.status_code == 422]
    assert findings(refused) == {"namespace-taken"}
    holders = [of for of in owners if listed(story, of, "deploymentruntimes")]
    assert len(holders) == 1
    assert holders[0] in refused.text
    (other,) = [of for of in owners if of not in holders]
    planned = change(story, "team", deployment("live", "deploy", space, other), dry_run=True)
    assert findings(planned) == {"namespace-taken"}, "a plan does not promise what a change would be refused"


def test_a_version_that_is_not_the_one_seen_is_refused(story: Scenario) -> None:
    of = made(story, "versions", project())
    path = f"/api/v1/products/{of}/projects/web"
    seen = story.api("GET", path, "team").headers["etag"]
    first = story.api("POST", path, "team", json={"language": "go"}, headers={"If-Match": seen})
    assert first.status_code == 200
    problem(
        story.api("POST", path, "team", json={"language": "c"}, headers={"If-Match": seen}), 412, "precondition-failed"
    )
    problem(story.api("POST", path, "team", json={}, headers={"If-None-Match": "*"}), 412, "precondition-failed")
