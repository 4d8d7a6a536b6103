"""A product's declaration: planned without a write, committed once, also beside commits of others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.gitlab import GitLabActivities
from activities.products import ProductActivities
from nautes.messages.errors import Refused
from nautes.messages.gitlab import GroupInput, RepositoryInput
from nautes.messages.operations import ChangeRequest
from nautes.messages.products import CommitFilesInput, FilesCommitted, HeadInput, PlanInput
from nautes.planning.steps import Plan
from tests.contract.gitlab.support import quoted, unique
from tests.integration.activities.support import NOTHING, Systems, survives

VERSION = "nautes.resource.nautes.io/v1alpha1"


def _project(product: str, name: str = "web", language: str = "python") -> dict[str, Any]:
    return {"apiVersion": VERSION, "kind": "Project", "spec": {"name": name, "product": product, "language": language}}


def _request(systems: Systems, product: str, *manifests: dict[str, Any], **more: Any) -> ChangeRequest:
    values = {"operation": unique("op"), "action": "apply", "requester": systems.person, "manifests": list(manifests)}
    return ChangeRequest.model_validate({"product": product, **values, **more})


@pytest.fixture
def product(systems: Systems, gitlab_activities: GitLabActivities) -> str:
    return _product(systems, gitlab_activities)


def _product(systems: Systems, gitlab: GitLabActivities) -> str:
    """Group and default.project of a new product."""
    path = unique("shop")
    gitlab.ensure_group(GroupInput(path=path, name=path, owner=systems.person))
    gitlab.ensure_repository(RepositoryInput(group=path, path="default.project", name="d", initialize=True))
    return path


def _input(systems: Systems, request: ChangeRequest, **more: Any) -> CommitFilesInput:
    found = systems.make.root.seen(f"/projects/{quoted(f'{request.product}/default.project')}")
    return CommitFilesInput(request=request, project_id=found["id"], **more)


def _plan(products: ProductActivities, request: ChangeRequest) -> Plan:
    return ActivityEnvironment().run(products.plan, PlanInput(request=request))


def _commit(products: ProductActivities, input: CommitFilesInput) -> FilesCommitted:
    return ActivityEnvironment().run(products.commit_files, input)


def _history(systems: Systems, product: str) -> Any:
    path = f"/projects/{quoted(f'{product}/default.project')}/repository"
    return systems.make.root.seen(f"{path}/commits")


def _declared(systems: Systems, product: str) -> Any:
    path = f"/projects/{quoted(f'{product}/default.project')}/repository"
    listed = systems.make.root.seen(f"{path}/tree", recursive=True, per_page=100)
    return sorted(each["path"] for each in listed if each["type"] == "blob")


def test_a_plan_says_what_would_be_done_and_writes_nothing(
    systems: Systems, products: ProductActivities, product: str
) -> None:
    request = _request(systems, product, _project(product))
    plans: list[Plan] = []
    assert systems.written_by(lambda: plans.append(_plan(products, request))) == NOTHING
    assert [(each.resource, each.action) for each in plans[0].outcomes] == [("Project/web", "created")]
    assert [(each.action, each.target) for each in plans[0].effects] == [("create", "Project/web")]
    assert plans[0].findings == []


def test_a_product_that_is_not_there_is_a_finding(systems: Systems, products: ProductActivities) -> None:
    product = unique("nobody")
    plan = _plan(products, _request(systems, product, _project(product)))
    assert "product-missing" in {each.rule for each in plan.findings}


def test_a_change_is_one_commit_by_the_person_that_names_the_operation(
    systems: Systems, products: ProductActivities, product: str
) -> None:
    request = _request(systems, product, _project(product, "web"), _project(product, "api"))
    input = _input(systems, request)
    made = _commit(products, input)
    newest, first = _history(systems, product)
    assert (made.made, made.commit, newest["parent_ids"]) == (True, newest["id"], [first["id"]])
    assert (newest["author_name"], newest["author_email"]) == (systems.person.name, systems.person.email)
    assert newest["trailers"]["Nautes-Operation"] == request.operation
    assert newest["trailers"]["Nautes-Requester"] == systems.person.username
    assert set(made.changed) <= set(_declared(systems, product))
    again: list[FilesCommitted] = []
    assert systems.written_by(lambda: again.append(_commit(products, input))) == NOTHING
    assert (again[0].made, again[0].commit) == (False, made.commit)


def test_a_commit_survives_a_failure_at_every_call(
    systems: Systems, products: ProductActivities, gitlab_activities: GitLabActivities
) -> None:
    def arrange() -> CommitFilesInput:
        path = _product(systems, gitlab_activities)
        return _input(systems, _request(systems, path, _project(path)))

    def look(input: CommitFilesInput) -> Any:
        return len(_history(systems, input.request.product)), _declared(systems, input.request.product)

    failed = survives(systems, arrange, lambda input: _commit(products, input), look, within=("gitlab",))
    assert failed >= 6


def test_two_changes_at_once_are_both_committed(systems: Systems, products: ProductActivities, product: str) -> None:
    orders = [_input(systems, _request(systems, product, _project(product, name))) for name in ("a", "b", "c")]
    with ThreadPoolExecutor(len(orders)) as pool:
        made = list(pool.map(lambda input: _commit(products, input), orders))
    assert all(each.made for each in made)
    plan = _plan(products, _request(systems, product, *(_project(product, name) for name in ("a", "b", "c"))))
    assert {each.action for each in plan.outcomes} == {"unchanged"}
    assert len(_history(systems, product)) == 4


def test_a_file_written_by_hand_stays(systems: Systems, products: ProductActivities, product: str) -> None:
    found = systems.make.root.seen(f"/projects/{quoted(f'{product}/default.project')}")
    systems.make.commit(found, "notes.txt", "by hand")
    _commit(products, _input(systems, _request(systems, product, _project(product))))
    _commit(products, _input(systems, _request(systems, product, _project(product), action="remove")))
    assert "notes.txt" in _declared(systems, product)
    assert len(_history(systems, product)) == 4


def test_a_changed_file_is_changed_and_a_removed_one_goes(
    systems: Systems, products: ProductActivities, product: str
) -> None:
    _commit(products, _input(systems, _request(systems, product, _project(product))))
    before = _declared(systems, product)
    changed = _commit(products, _input(systems, _request(systems, product, _project(product, language="go"))))
    assert len(changed.changed) == 1
    assert _declared(systems, product) == before
    removal = _input(systems, _request(systems, product, _project(product), action="remove"))
    assert "projects/web/web.yaml" in _commit(products, removal).changed
    assert set(before) - set(_declared(systems, product)) == {"projects/web/web.yaml"}
    assert systems.written_by(lambda: _commit(products, removal)) == NOTHING


def test_a_change_against_the_rules_is_refused_with_its_findings(
    systems: Systems, products: ProductActivities, product: str
) -> None:
    repository = {
        "apiVersion": VERSION,
        "kind": "CodeRepo",
        "spec": {"name": "code", "product": product, "project": "nowhere", "git": {"gitlab": {"name": "code"}}},
    }
    input = _input(systems, _request(systems, product, repository), head="0" * 40)  # the head has moved since the plan
    with pytest.raises(Refused) as caught:
        _commit(products, input)
    assert caught.value.findings
    assert len(_history(systems, product)) == 1


def test_what_is_declared_is_read_at_its_head(systems: Systems, products: ProductActivities, product: str) -> None:
    made = _commit(products, _input(systems, _request(systems, product, _project(product))))
    reports: list[Any] = []
    read = HeadInput(product=product)
    assert systems.written_by(lambda: reports.append(ActivityEnvironment().run(products.read, read))) == NOTHING
    assert (reports[0].exists, reports[0].commit) == (True, made.commit)
    nobody = ActivityEnvironment().run(products.read, HeadInput(product=unique("nobody")))
    assert nobody.exists is False
