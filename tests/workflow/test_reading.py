"""What a product's declaration tells its runtimes: a file that is gone or broken never removes one that is declared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.products import ProductActivities
from nautes.clients.declarations import Declarations
from nautes.clients.git import CommitInfo
from nautes.clients.gitlab import GitLab
from nautes.clients.kubernetes import Clusters, Kind, Listing
from nautes.messages.convergence import REASON_LIMIT, ObjectHealth, ObjectOutcome
from nautes.messages.errors import NotFound, Refused, Unavailable
from nautes.messages.operations import REQUEST_LIMIT, ChangeRequest, require_bounded
from nautes.messages.products import CommitFilesInput, HeadInput, HeadReport, PlanInput
from nautes.messages.secrets import SecretRef
from nautes.planning.known import Consumer, KeyGrant, Known, RepositoryUse
from nautes.planning.steps import Plan, Step
from nautes.resources.cluster import Cluster
from nautes.resources.declaration import Declaration, DeclaredClusters
from nautes.resources.manifest import resource_of
from nautes.resources.names import Names
from nautes.resources.stored import product_files, read_product, store
from nautes.resources.tree import ProductTree
from nautes.rules.deletions import Limits
from tests.workflow.answers import ADA, DECLARATION, HEAD, PROJECT, change

WEB = "DeploymentRuntime/web"
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
    """default.project of a product, as files; every state that was looked at can be read again as a commit."""

    files: dict[str, str] = field(default_factory=dict)
    message: str = "by hand"
    commits: dict[str, dict[str, str]] = field(default_factory=dict)

    def product(self, path: str) -> Declaration:
        """At its head; "" when nothing is in it."""
        if not self.files:
            return Declaration(path, 1, DECLARATION)
        head = hashlib.sha1(repr(sorted(self.files.items())).encode(), usedforsecurity=False).hexdigest()
        self.commits[head] = dict(self.files)
        tree, names = read_product(path, 1, head, self.files)
        return Declaration(path, 1, DECLARATION, head, tree, names, dict(self.files))

    def at(self, declaration: Declaration, commit: str) -> Declaration:
        """As it was."""
        tree, names = read_product(declaration.path, 1, commit, self.commits[commit])
        return Declaration(declaration.path, 1, DECLARATION, commit, tree, names, self.commits[commit])

    def about(self, _: Declaration) -> CommitInfo:
        """Who made the head."""
        return CommitInfo("Ada", "ada@example.com", self.message)

    def clusters(self) -> DeclaredClusters:
        """A worker for deployments."""
        spec = {"name": "edge", "apiServer": "https://edge.example.com", "clusterType": "physical", "usage": "worker"}
        edge = cast("Cluster", resource_of({"kind": "Cluster", "spec": {**spec, "workerType": "deployment"}}))
        return DeclaredClusters(clusters={"edge": edge})


@pytest.fixture
def repository() -> Repository:
    resources = [resource_of({"kind": kind, "spec": spec}) for kind, spec in MANIFESTS]
    names = Names(products={"shop": 1}, repositories={"code": PROJECT})
    return Repository(product_files(ProductTree.of("shop", HEAD, resources), names))


class Members:
    """GitLab as far as plans and looks ask it: everybody is Maintainer, `shop/code` has its number, all else is not there."""

    def find(self, path: str) -> Any:
        if path.startswith("/groups/"):
            return {"full_path": "shop"}
        return None if "branches" in path else {"access_level": 40}

    def project(self, path: str) -> Any:
        return {"id": PROJECT, "name": "code"} if path == "shop/code" else None

    def project_id(self, path: str) -> int:
        return PROJECT if path == "shop/code" else 0


class Nothing:
    """A cluster that answers, and in which no runtime has anything."""

    def kind(self, api_version: str, kind: str) -> Kind:
        return Kind(api_version, kind, "secrets", namespaced=True)

    def get(self, *_: object) -> Any:
        raise NotFound("kubernetes-404", "it is not there")

    def every(self) -> list[Kind]:
        return []

    def list(self, *_: object, **__: object) -> Listing:
        return Listing([])


class Empty:
    """Clusters with nothing in them."""

    def get(self, _: SecretRef) -> Nothing:
        return Nothing()


class Silent:
    """Clusters that do not answer."""

    def get(self, _: SecretRef) -> Nothing:
        raise Unavailable("kubernetes-unavailable", "no answer")


def _products(repository: Repository, clusters: object = None) -> ProductActivities:
    asked = cast("Clusters", clusters or Empty())
    return ProductActivities(cast("Declarations", repository), cast("GitLab", Members()), Limits(), asked)


def _read(repository: Repository, known: Known | None = None) -> HeadReport:
    input = HeadInput(product="shop", known=known or Known())
    return cast("HeadReport", ActivityEnvironment().run(_products(repository).read, input))


def _steps(report: HeadReport, kind: str) -> list[Step]:
    return [each for each in report.steps if each.kind == kind]


def _specified(report: HeadReport) -> list[str]:
    return [each.input["key"] for each in _steps(report, "runtime") if "spec" in each.input]


def _removed(report: HeadReport) -> list[str]:
    return [each.input["key"] for each in _steps(report, "runtime") if "spec" not in each.input]


def _standing(report: HeadReport) -> dict[str, list[str]]:
    return {each.input["cluster"]: each.input["environments"] for each in _steps(report, "environments")}


def _grants(report: HeadReport) -> dict[str, list[KeyGrant]]:
    return {
        each.input["path"]: [KeyGrant.model_validate(one) for one in each.input["wanted"]]
        for each in _steps(report, "foreign-keys")
    }


def test_what_is_declared_is_told_once(repository: Repository) -> None:
    report = _read(repository)
    assert (_specified(report), _removed(report), report.kept) == ([WEB], [], [])
    assert _standing(report) == {"edge": ["test"]}
    assert {each.input["path"] for each in _steps(report, "repository")} == {"default.project", "code"}
    again = _read(repository, report.known)
    assert again.steps == []
    assert (again.known, again.outcomes) == (report.known, [])


def test_what_is_declared_no_more_is_removed(repository: Repository) -> None:
    before = _read(repository).known
    del repository.files["runtimes/web.yaml"]
    report = _read(repository, before)
    assert (_removed(report), report.refused) == ([WEB], [])
    assert [(each.resource, each.action) for each in report.outcomes] == [("DeploymentRuntime/web", "removed")]


def test_what_is_declared_no_more_stays_until_confirmed_where_its_cluster_cannot_say_what_is_lost(
    repository: Repository,
) -> None:
    before = _read(repository).known
    del repository.files["runtimes/web.yaml"]
    input = HeadInput(product="shop", known=before)
    report = cast("HeadReport", ActivityEnvironment().run(_products(repository, Silent()).read, input))
    assert (_removed(report), [each.rule for each in report.refused]) == ([], ["deletions-unconfirmed"])


@pytest.mark.parametrize("file", [ENVIRONMENT, REPOSITORY])
def test_what_a_runtime_rests_on_stays_in_effect_although_its_file_is_gone(repository: Repository, file: str) -> None:
    before = _read(repository).known
    del repository.files[file]
    report = _read(repository, before)
    assert report.steps == []
    assert report.known.digests == before.digests
    assert report.refused and all(commit == before.accepted for commit in report.known.held.values())


def test_what_was_held_is_in_effect_until_it_is_right(repository: Repository) -> None:
    first = _read(repository)
    good = repository.files[ENVIRONMENT]
    repository.files[ENVIRONMENT] = good.replace("edge", "nowhere")
    held = _read(repository, first.known)
    assert (bool(held.steps), list(held.known.held)) == (False, ["Environment/test"])
    repository.files["projects/new/new.yaml"] = repository.files["projects/web/web.yaml"].replace("web", "new")
    later = _read(repository, held.known)
    assert later.known.held == {"Environment/test": first.commit}
    assert [(each.resource, each.action) for each in later.outcomes] == [
        ("Environment/test", "refused"),
        ("Project/new", "created"),
    ]
    repository.files[ENVIRONMENT] = good
    assert _read(repository, later.known).known.held == {}


def test_a_cluster_that_is_not_registered_is_told_when_it_is(repository: Repository) -> None:
    lost = repository.files[ENVIRONMENT].replace("edge", "nowhere").replace("test", "lost")
    repository.files["envs/lost.yaml"] = lost
    input = HeadInput(product="shop", trusted=["Environment/lost"])
    report = cast("HeadReport", ActivityEnvironment().run(_products(repository).read, input))
    assert (_standing(report), report.known.pending) == ({"edge": ["test"]}, True)
    assert report.environments == {"test": "edge", "lost": "nowhere"}


def test_an_emptied_declaration_removes_nothing(repository: Repository) -> None:
    before = _read(repository).known
    repository.files.clear()
    report = _read(repository, before)
    assert (report.exists, _removed(report), report.kept, report.known) == (True, [], ["deployment/shop/web"], before)


def test_a_file_that_cannot_be_read_removes_nothing(repository: Repository) -> None:
    before = _read(repository).known
    repository.files["runtimes/web.yaml"] = "kind: ["
    report = _read(repository, before)
    assert (_removed(report), report.known.digests) == ([], before.digests)
    assert [each.rule for each in report.refused] == ["yaml-syntax"]


def test_a_repository_is_not_taken_by_its_number(repository: Repository) -> None:
    before = _read(repository).known
    stolen = (
        repository.files[REPOSITORY].replace(f"repo-{PROJECT}", "repo-99").replace("repoName: code", "repoName: theirs")
    )
    repository.files["code-repos/repo-99/repo-99.yaml"] = stolen
    report = _read(repository, before)
    assert [each.rule for each in report.refused] == ["repository-id"]
    assert (_steps(report, "repository"), "theirs" in report.known.repositories) == ([], False)


@pytest.mark.parametrize("trusted", [[], ["CodeRepo/code"]])
def test_a_repository_keeps_its_number_although_nothing_else_of_it_changed(
    repository: Repository, trusted: list[str]
) -> None:
    """Not even when somebody applies it anew after such a push."""
    before = _read(repository).known
    repository.files["code-repos/repo-99/repo-99.yaml"] = repository.files.pop(REPOSITORY).replace("repo-41", "repo-99")
    input = HeadInput(product="shop", known=before, trusted=trusted)
    report = cast("HeadReport", ActivityEnvironment().run(_products(repository).read, input))
    assert "repository-id" in {each.rule for each in report.refused}
    assert (report.known.repositories, _specified(report)) == ({"code": PROJECT}, [])


def test_deletions_that_the_commit_confirms_take_effect(repository: Repository) -> None:
    for name in ("a", "b", "c", "d"):
        file = repository.files["projects/web/web.yaml"].replace("web", name)
        repository.files[f"projects/{name}/{name}.yaml"] = file
    before = _read(repository).known
    for name in ("a", "b", "c", "d"):
        del repository.files[f"projects/{name}/{name}.yaml"]
    del repository.files["runtimes/web.yaml"]
    assert [each.rule for each in _read(repository, before).refused] == ["deletions-unconfirmed"]
    repository.message = "All of them\n\nNautes-Confirm-Deletions: 5\n"
    report = _read(repository, before)
    assert (report.refused, _removed(report)) == ([], [WEB])


def test_whose_keys_open_what_is_told_when_it_changes(repository: Repository) -> None:
    before = _read(repository)
    assert _grants(before) == {"shop/code": []}
    agreement = RepositoryUse(
        product="guest",
        repository="shop/code",
        permissions="readonly",
        consumers=[Consumer(repository="guest/app", project_id=7)],
    )
    known = before.known.model_copy(update={"foreign_uses": [agreement]})
    assert _grants(_read(repository, known)) == {}
    share = resource_of(
        {
            "kind": "CodeRepoBinding",
            "spec": {
                "name": "share",
                "productName": "shop",
                "product": "guest",
                "coderepo": "code",
                "permissions": "readwrite",
            },
        }
    )
    names = Names(products={"shop": 1, "guest": 2}, repositories={"code": PROJECT})
    path, text = store(share, names)
    repository.files[path] = text.replace("product-2", "guest")
    granted = _grants(_read(repository, known))
    assert granted == {"shop/code": [KeyGrant(project_id=7, permission="readonly")]}
    forgotten = _read(repository)
    assert (_grants(forgotten), forgotten.known.pending) == ({}, True), (
        "nothing is taken away before the others have spoken"
    )
    later = _read(repository, forgotten.known.model_copy(update={"foreign_uses": [agreement]}))
    assert _grants(later) == granted


def _astray(**more: bool) -> ChangeRequest:
    kind, spec = MANIFESTS[3]
    source = {"codeRepo": "nowhere", "targetRevision": "main", "path": "deploy"}
    return change("shop", manifests=[{"kind": kind, "spec": {**spec, "manifestSource": source}}], **more)


def test_not_even_skipping_the_rules_may_name_a_repository_that_is_not_declared(repository: Repository) -> None:
    products, request = _products(repository), _astray(skip_check=True)
    plan = cast("Plan", ActivityEnvironment().run(products.plan, PlanInput(request=request)))
    assert [each.rule for each in plan.findings] == ["repository-unknown"]
    with pytest.raises(Refused) as caught:
        ActivityEnvironment().run(products.commit_files, CommitFilesInput(request=request, project_id=DECLARATION))
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
