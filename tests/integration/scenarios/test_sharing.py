"""Who may use whose keys: inside a product, after every change, and between two products that both say so."""

from __future__ import annotations

from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import Cli, joined, problem
from tests.integration.scenarios.support import (
    binding,
    change,
    deployment,
    done,
    environment,
    findings,
    keys,
    made,
    number,
    project,
    repository,
)
from tests.waiting import until


def _titles(
    story: Scenario, of: str, *names: str, permissions: tuple[str, ...] = ("readonly", "readwrite")
) -> set[str]:
    return {f"repo-{number(story, f'{of}/{name}')}-{permission}" for name in names for permission in permissions}


def test_repositories_of_one_project_have_each_others_keys_and_others_do_not(story: Scenario) -> None:
    of = made(story, "siblings", project(), repository("a", "web"), repository("b", "web"), repository("c"))
    assert set(keys(story, f"{of}/a")) == _titles(story, of, "a", "b")
    assert set(keys(story, f"{of}/c")) == _titles(story, of, "c")


def test_a_binding_is_downgraded_and_its_projects_change(story: Scenario) -> None:
    of = made(
        story,
        "narrow",
        project("one"),
        project("two"),
        repository("target"),
        repository("a", "one"),
        repository("b", "two"),
        binding("open", "target", "readwrite"),
    )
    own = _titles(story, of, "target")
    assert set(keys(story, f"{of}/target")) == own | _titles(story, of, "a", "b", permissions=("readwrite",))
    done(change(story, "team", binding("open", "target", "readonly", of, projects=["one"])))
    found = keys(story, f"{of}/target")
    assert set(found) == own | _titles(story, of, "a", permissions=("readonly",))
    assert found[next(iter(_titles(story, of, "a", permissions=("readonly",))))] is False


def test_a_binding_that_a_runtime_uses_cannot_be_removed(story: Scenario) -> None:
    of = made(
        story,
        "resting",
        project(),
        project("other"),
        repository("deploy", "other"),
        environment("test", story.deploy_cluster),
        binding("open", "deploy", projects=["web"]),
        deployment("live", "deploy", "$product-live", projectsRef=["web"]),
    )
    answer = change(story, "team", binding("open", "deploy", of=of, projects=["web"]), action="remove")
    assert findings(answer)
    assert "DeploymentRuntime/live" in answer.text


def _pair(story: Scenario) -> tuple[str, str]:
    owner = made(story, "owner", repository("lib"), who="ada")
    guest = made(story, "guest", repository("app"), environment("test", story.deploy_cluster))
    joined(story, "ada", guest, 10)  # a product is opened to whom its owner can see
    return owner, guest


def test_two_products_share_a_repository_when_both_declare_it(story: Scenario) -> None:
    owner, guest = _pair(story)
    own = set(keys(story, f"{owner}/lib"))
    asked = binding("use", f"{owner}/lib", of=guest)
    runtime = deployment("live", f"{owner}/lib", f"{guest}-live", guest)
    problem(change(story, "team", asked, runtime), 404, "not-found")  # hidden repositories are not revealed
    # The guest's people must be able to see what they use.
    member = {"user_id": story.people["team"].id, "access_level": 20}
    story.gitlab_post(f"/projects/{quoted(f'{owner}/lib')}/members", member)
    for documents in ((asked,), (asked, runtime)):
        assert findings(change(story, "team", *documents)) == {"foreign-unknown"}
    done(change(story, "ada", binding("open", "lib", of=owner, product=guest)))
    assert set(keys(story, f"{owner}/lib")) == own
    assert set(done(change(story, "team", asked, runtime)).values()) == {"created"}
    app = f"repo-{number(story, f'{guest}/app')}-readonly"
    until(lambda: app in keys(story, f"{owner}/lib"), "the guest's key fits")
    refused = change(story, "ada", binding("open", "lib", of=owner, product=guest), action="remove")
    assert findings(refused) == {"binding-in-use-elsewhere"}
    assert guest in refused.text
    done(change(story, "team", asked, runtime, action="remove"))
    until(lambda: set(keys(story, f"{owner}/lib")) == own, "the guest's key is gone")
    done(change(story, "ada", binding("open", "lib", of=owner, product=guest), action="remove"))


def test_a_shared_repository_reads_back_as_it_was_written(story: Scenario, cli: Cli) -> None:
    owner, guest = _pair(story)
    done(change(story, "ada", binding("open", "lib", of=owner, product=guest)))
    member = {"user_id": story.people["team"].id, "access_level": 20}
    story.gitlab_post(f"/projects/{quoted(f'{owner}/lib')}/members", member)
    documents = [binding("use", f"{owner}/lib", of=guest), deployment("live", f"{owner}/lib", f"{guest}-live", guest)]
    done(change(story, "team", *documents))
    assert set(done(change(story, "team", *documents)).values()) == {"unchanged"}
    found = story.api("GET", f"/api/v1/products/{guest}/deploymentruntimes/live", "team").json()
    assert found["manifest_source"]["code_repo"] == f"{owner}/lib"


def test_a_loss_of_temporals_data_removes_no_key(story: Scenario) -> None:
    owner, guest = _pair(story)
    done(change(story, "ada", binding("open", "lib", of=owner, product=guest)))
    member = {"user_id": story.people["team"].id, "access_level": 20}
    story.gitlab_post(f"/projects/{quoted(f'{owner}/lib')}/members", member)
    done(change(story, "team", binding("use", f"{owner}/lib", of=guest)))
    app = f"repo-{number(story, f'{guest}/app')}-readonly"
    until(lambda: app in keys(story, f"{owner}/lib"), "the guest's key fits")
    story.world.wipe_temporal()

    def known_again() -> bool:
        assert app in keys(story, f"{owner}/lib"), "the key was taken away for a while"
        return _idle(story, owner, "ada") and _idle(story, guest, "team")

    until(known_again, "both products are known again", within=60)


def _idle(story: Scenario, of: str, who: str) -> bool:
    answer = story.api("GET", f"/api/v1/products/{of}/status", who)
    return (
        answer.status_code == 200
        and answer.json()["product"]["phase"] == "Idle"
        and bool(answer.json()["product"]["commit"])
    )
