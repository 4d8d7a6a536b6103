"""A change that is refused at its last step leaves nothing behind; what was deleted by hand is made again."""

from __future__ import annotations

import httpx2

from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario
from tests.fault.state import gitlab_and_vault
from tests.integration.api.support import document, product
from tests.integration.scenarios.support import change, done, environment, made, number, project, repository, unique

REPOSITORIES = 20


def _refused_at_its_commit(story: Scenario, *documents: str) -> httpx2.Response:
    story.faults({"every": "1", "status": "403", "only": r"POST /projects/\d+/repository/commits"})
    try:
        refused = change(story, "team", *documents)
    finally:
        story.faults({"every": "0"})
    assert refused.status_code == 422, refused.text
    return refused


def test_a_product_with_twenty_repositories_that_is_refused_at_its_commit_leaves_nothing(story: Scenario) -> None:
    name, before = unique("undone"), gitlab_and_vault(story)
    services = [repository(f"service-{each:02}", "web", name) for each in range(REPOSITORIES)]
    documents = [product(name), environment("test", "deploy", name), project("web", name), *services]
    refused = _refused_at_its_commit(story, *documents)
    undone = refused.json()["undone"]
    assert len(undone) == REPOSITORIES + 2, "with default.project and the group"
    assert not [each for each in undone if each.startswith("could not")]
    assert gitlab_and_vault(story) == before
    assert change(story, "team", *documents).status_code == 200, "nothing is in the way of the same change"


def test_a_refused_change_writes_back_the_settings_of_what_was_there_before(story: Scenario) -> None:
    events = {"events": ["push_events"]}
    of = made(story, "restored", project(), reporting("kept", events), description="as it was")
    full = f"{of}/kept"
    headers = {"PRIVATE-TOKEN": story.world.root_token}
    group = story.gitlab(f"/groups/{of}")["id"]
    body = {"path": "found", "name": "found", "namespace_id": group, "description": "made by hand"}
    assert httpx2.post(f"{story.world.gitlab_url}/api/v4/projects", headers=headers, json=body).status_code == 201

    def held() -> object:
        projects = [story.gitlab(f"/projects/{quoted(each)}") for each in (full, f"{of}/found")]
        settings = [[each[name] for name in ("name", "description", "visibility")] for each in projects]
        settings.append([story.gitlab(f"/groups/{of}")[name] for name in ("name", "description", "visibility")])
        hooks = [story.gitlab(f"/projects/{quoted(full)}/hooks")]
        return settings, [{name: on for name, on in each.items() if name.endswith("_events")} for each in hooks[0]]

    before, systems = held(), gitlab_and_vault(story)
    documents = [
        product(of, description="renamed"),
        reporting("kept", {"events": ["push_events", "issues_events"]}, of, description="other", name="Kept"),
        reporting("found", events, of, description="ours now"),
    ]
    refused = _refused_at_its_commit(story, *documents)
    assert held() == before
    assert gitlab_and_vault(story) == systems, "the repository that was found has no key, token and webhook of ours"
    assert set(refused.json()["undone"]) == {
        f"settings of group {of}",
        "settings of repository kept",
        "events of the webhook of kept",
        "settings of repository found",
        "keys, token and webhook of repository found",
    }
    assert change(story, "team", *documents).status_code == 200, "nothing is in the way of the same change"
    assert held() != before


def reporting(path: str, webhook: dict[str, list[str]], of: str = "$product", **gitlab: str) -> str:
    settings = {"path": path, "visibility": "private", "description": "", **gitlab}
    return document("CodeRepo", name=path, product=of, webhook=webhook, git={"gitlab": settings})


def test_a_repository_that_was_deleted_by_hand_is_declared_again_under_its_new_id(story: Scenario) -> None:
    of = made(story, "again", repository("source"))
    before = number(story, f"{of}/source")
    headers = {"PRIVATE-TOKEN": story.world.root_token}
    assert httpx2.delete(f"{story.world.gitlab_url}/api/v4/projects/{before}", headers=headers).status_code == 202
    done(change(story, "team", repository("source", of=of)))
    after = number(story, f"{of}/source")
    assert after != before
    tree = f"/projects/{quoted(f'{of}/default.project')}/repository/tree?recursive=true&per_page=100"
    files = [each["path"] for each in story.gitlab(tree)]
    assert [each for each in files if f"repo-{before}" in each] == [] and any(f"repo-{after}" in each for each in files)
    planned = story.api("POST", "/api/v1/plan", "team", content=repository("source", of=of))
    assert [each for one in planned.json()["operations"] for each in one["effects"]] == []
