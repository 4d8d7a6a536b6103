"""What a product's declaration tells its runtimes: a file that is gone or broken never removes one that is declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.products import ProductActivities
from clients.declarations import Declaration, Declarations, DeclaredClusters
from clients.gitlab import GitLab
from contracts.convergence import REASON_LIMIT, ObjectHealth, ObjectOutcome
from contracts.errors import Refused
from contracts.operations import REQUEST_LIMIT, ChangeRequest, require_bounded
from contracts.products import FilesOrder, Plan, PlanOrder, SyncOrder, SyncReport
from resources.manifest import resource_of
from resources.names import Names
from resources.stored import product_files, read_product
from resources.tree import ProductTree
from tests.workflow.answers import ADA, DECLARATION, HEAD, PROJECT, change

WEB, BUILD = "deployment/shop/web", "pipeline/shop/build"
ENVIRONMENT, REPOSITORY = "envs/test.yaml", f"code-repos/repo-{PROJECT}/repo-{PROJECT}.yaml"
MANIFESTS = (
    ("Environment", {"name": "test", "product": "shop", "cluster": "edge", "envType": "test"}),
    ("Project", {"name": "web", "product": "shop", "language": "python"}),
    ("CodeRepo", {"name": "code", "product": "shop", "project": "web", "git": {"gitlab": {"name": "code"}}}),
    (
        "DeploymentRuntime",
        {
            "name": "web",
            "product": "shop",
            "projectsRef": ["web"],
            "manifestSource": {"codeRepo": "code", "targetRevision": "main", "path": "deploy"},
            "destination": {"environment": "test", "namespaces": ["web"]},
        },
    ),
)


@dataclass
class Repository:
    """default.project of a product, as files."""

    files: dict[str, str] = field(default_factory=dict)

    def product(self, path: str) -> Declaration:
        """At its head; "" when nothing is in it."""
        if not self.files:
            return Declaration(path, 1, DECLARATION)
        tree, names = read_product(path, 1, HEAD, self.files)
        return Declaration(path, 1, DECLARATION, HEAD, tree, names, self.files)

    def clusters(self) -> DeclaredClusters:
        """None: the rules are not what is shown here."""
        return DeclaredClusters()


@pytest.fixture
def repository() -> Repository:
    resources = [resource_of({"kind": kind, "spec": spec}) for kind, spec in MANIFESTS]
    names = Names(products={"shop": 1}, repositories={"code": PROJECT})
    return Repository(product_files(ProductTree.of("shop", HEAD, resources), names))


class Members:
    """GitLab as far as a plan asks it: everybody is Maintainer of everything."""

    def get(self, path: str) -> dict[str, str]:
        return {"full_path": "shop"}

    def find(self, path: str) -> dict[str, int]:
        return {"access_level": 40}


def _products(repository: Repository) -> ProductActivities:
    return ProductActivities(
        cast("Declarations", repository), cast("GitLab", Members()), "https://nautes.example.com/hooks"
    )


def _read(repository: Repository, digests: dict[str, str]) -> SyncReport:
    order = SyncOrder(product="shop", digests=digests)
    return cast("SyncReport", ActivityEnvironment().run(_products(repository).read, order))


def test_what_is_declared_is_told_and_what_is_declared_no_more_is_removed(repository: Repository) -> None:
    report = _read(repository, {BUILD: "1"})
    assert ([each.runtime for each in report.deployments], report.removed, report.kept) == (["web"], [BUILD], [])
    assert _read(repository, report.digests).deployments == []


@pytest.mark.parametrize("file", [ENVIRONMENT, REPOSITORY])
def test_a_runtime_whose_environment_or_repository_is_gone_is_kept_and_said(repository: Repository, file: str) -> None:
    before = _read(repository, {}).digests
    del repository.files[file]
    report = _read(repository, before)
    assert (report.removed, report.kept, report.digests) == ([], [WEB], before)
    assert [(each.rule, each.resource) for each in report.findings] == [("runtime-unresolved", "DeploymentRuntime/web")]


def test_an_emptied_declaration_removes_nothing(repository: Repository) -> None:
    before = _read(repository, {}).digests
    repository.files.clear()
    report = _read(repository, before)
    assert (report.exists, report.removed, report.kept, report.digests) == (True, [], [WEB], before)


def test_a_file_that_cannot_be_read_removes_nothing(repository: Repository) -> None:
    before = _read(repository, {}).digests
    repository.files["runtimes/web.yaml"] = "kind: ["
    report = _read(repository, before)
    assert (report.removed, report.kept) == ([], [WEB])


def _astray(**more: bool) -> ChangeRequest:
    kind, spec = MANIFESTS[3]
    source = {"codeRepo": "nowhere", "targetRevision": "main", "path": "deploy"}
    return change("shop", manifests=[{"kind": kind, "spec": {**spec, "manifestSource": source}}], **more)


def test_not_even_skipping_the_rules_may_name_a_repository_that_is_not_declared(repository: Repository) -> None:
    products, request = _products(repository), _astray(skip_check=True)
    plan = cast("Plan", ActivityEnvironment().run(products.plan, PlanOrder(request=request)))
    assert [each.rule for each in plan.findings] == ["repository-unknown"]
    with pytest.raises(Refused) as caught:
        ActivityEnvironment().run(products.commit_files, FilesOrder(request=request, project_id=DECLARATION))
    assert "nowhere" in caught.value.message


@pytest.mark.parametrize("kind", [ObjectOutcome, ObjectHealth])
def test_a_reason_is_bounded(kind: type[ObjectOutcome] | type[ObjectHealth]) -> None:
    how = {"action": "refused"} if kind is ObjectOutcome else {"status": "Failed"}
    long = kind.model_validate({"kind": "Pod", "name": "web", "reason": "x" * 10_000, **how})
    assert (len(long.reason), long.reason[-1]) == (REASON_LIMIT, "…")
    assert kind.model_validate({"kind": "Pod", "name": "web", "reason": "short", **how}).reason == "short"


def test_a_request_that_would_not_travel_says_how_large_it_is() -> None:
    request = ChangeRequest(
        operation="op", product="shop", action="apply", manifests=[{"x": "y" * REQUEST_LIMIT}], requester=ADA
    )
    with pytest.raises(Refused) as caught:
        require_bounded(request)
    assert str(len(request.model_dump_json())) in caught.value.message
    require_bounded(change("shop"))
