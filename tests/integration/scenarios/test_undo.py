"""A change that is refused at its last step leaves nothing behind, however much it had made."""

from __future__ import annotations

from nautes_sandbox.scenario import Scenario
from tests.fault.state import gitlab_and_vault
from tests.integration.api.support import product
from tests.integration.scenarios.support import change, environment, project, repository, unique

REPOSITORIES = 20


def test_a_product_with_twenty_repositories_that_is_refused_at_its_commit_leaves_nothing(story: Scenario) -> None:
    name, before = unique("undone"), gitlab_and_vault(story)
    services = [repository(f"service-{each:02}", "web", name) for each in range(REPOSITORIES)]
    documents = [product(name), environment("test", "deploy", name), project("web", name), *services]
    story.faults({"every": "1", "status": "403", "only": r"POST /projects/\d+/repository/commits"})
    try:
        refused = change(story, "team", *documents)
    finally:
        story.faults({"every": "0"})
    assert refused.status_code == 422, refused.text
    undone = refused.json()["undone"]
    assert len(undone) == REPOSITORIES + 2, "with default.project and the group"
    assert not [each for each in undone if each.startswith("could not")]
    assert gitlab_and_vault(story) == before
    assert change(story, "team", *documents).status_code == 200, "nothing is in the way of the same change"
