"""Lists: filters, pages and preconditions. Pure functions."""

from __future__ import annotations

from typing import Any

import pytest

from api.conditions import Conditions
from api.filters import FILTERS, selected
from api.pages import ALL, Cursor, page
from api.problems import PreconditionFailed
from nautes.messages.errors import Refused

CLUSTER = {"name": "deploy-1", "cluster_type": "physical", "usage": "worker", "worker_type": "deployment"}
ENVIRONMENT = {"name": "test", "cluster": "deploy-1", "env_type": "staging"}
REPOSITORY = {"name": "code", "project": "web", "pipeline_runtime": True, "deployment_runtime": False}
BINDING = {"name": "open", "coderepo": "code", "product": "shop", "projects": ["web", "api"]}
DEPLOYMENT = {
    "name": "web",
    "projects_ref": ["web", "api"],
    "manifest_source": {"code_repo": "deploy"},
    "destination": {"environment": "test", "namespaces": ["shop-web", "shop-api"]},
}
PIPELINE = {
    "name": "build",
    "project": "web",
    "pipeline_source": "pipelines",
    "pipeline_triggers": [{"pipeline": "main"}, {"pipeline": "nightly"}],
    "destination": {"environment": "build", "namespace": "shop-build"},
}
TABLE: list[tuple[str, dict[str, Any], str, bool]] = [
    ("Cluster", CLUSTER, "cluster_name=deploy", True),
    ("Cluster", CLUSTER, "cluster_type=physical", True),
    ("Cluster", CLUSTER, "cluster_type=phys", False),
    ("Cluster", CLUSTER, "usage=worker, worker_type=deployment", True),
    ("Cluster", CLUSTER, "usage=worker,worker_type=pipeline", False),
    ("Product", {"name": "shop"}, "product_name=shop", True),
    ("Product", {"name": "shop"}, "product_name=sho", False),
    ("Project", {"name": "web"}, "project_name=we", True),
    ("Environment", ENVIRONMENT, "cluster=deploy", True),
    ("Environment", ENVIRONMENT, "env_type=stag,cluster=other", False),
    ("CodeRepo", REPOSITORY, "project=w", True),
    ("CodeRepo", REPOSITORY, "pipeline_runtime=true", True),
    ("CodeRepo", REPOSITORY, "deployment_runtime=true", False),
    ("CodeRepoBinding", BINDING, "projects.in=ap", True),
    ("CodeRepoBinding", BINDING, "projects.in=x", False),
    ("CodeRepoBinding", BINDING, "coderepo=code,product=shop", True),
    ("DeploymentRuntime", DEPLOYMENT, "projects_ref.in=api", True),
    ("DeploymentRuntime", DEPLOYMENT, "manifestSource.codeRepo=deploy", True),
    ("DeploymentRuntime", DEPLOYMENT, "manifest_source.code_repo=source", False),
    ("DeploymentRuntime", DEPLOYMENT, "destination=test", True),
    ("DeploymentRuntime", DEPLOYMENT, "destination=prod", False),
    ("DeploymentRuntime", DEPLOYMENT, "destination.namespace=shop-api", True),
    ("ProjectPipelineRuntime", PIPELINE, "project_name=web", True),
    ("ProjectPipelineRuntime", PIPELINE, "project_name=build", False),  # the original looked at the runtime's name
    ("ProjectPipelineRuntime", PIPELINE, "pipeline_triggers.pipeline=night", True),
    ("ProjectPipelineRuntime", PIPELINE, "destination.environment=build,pipeline_source=pipe", True),
    ("ProjectPipelineRuntime", PIPELINE, "destination.namespaces=shop-x", False),
]


@pytest.mark.parametrize(("kind", "item", "selector", "meant"), TABLE, ids=[f"{each[0]} {each[2]}" for each in TABLE])
def test_a_filter_means_what_the_documentation_says(
    kind: str, item: dict[str, Any], selector: str, meant: bool
) -> None:
    assert selected(kind, selector)(item) is meant


def test_every_key_of_every_kind_has_a_case() -> None:
    told = {(kind, part.partition("=")[0].strip()) for kind, _, selector, _ in TABLE for part in selector.split(",")}
    left = {(kind, key) for kind, keys in FILTERS.items() for key in keys} - told
    assert left <= {("ProjectPipelineRuntime", key) for key in ("project", "destination", "destination.namespace")} | {
        ("DeploymentRuntime", key) for key in ("destination.environment", "destination.namespaces")
    }  # other spellings of keys that have one


@pytest.mark.parametrize("selector", ["colour=red", "cluster", "cluster!=a", "cluster==a", "=a", ",", "cluster in (a)"])
def test_unknown_keys_and_operators_are_refused_with_what_is_known(selector: str) -> None:
    with pytest.raises(Refused) as refused:
        selected("Environment", selector)
    (finding,) = refused.value.findings
    assert finding.rule == "filter-invalid"
    assert "cluster, env_type" in finding.hint


def test_a_truth_is_true_or_false() -> None:
    with pytest.raises(Refused, match="true or false"):
        selected("CodeRepo", "pipeline_runtime=yes")


def test_pages_hold_everything_once_and_in_order() -> None:
    names = [f"n{number:03}" for number in range(250)]
    seen: list[str] = []
    cursor: Cursor | None = None
    sizes = []
    while True:
        part, following = page(names, names, "c0ffee", 100, cursor)
        seen, sizes = seen + part, [*sizes, len(part)]
        if following is None:
            break
        cursor = Cursor.of(following)
        assert cursor.commit == "c0ffee"
    assert (seen, sizes) == (names, [100, 100, 50])


def test_a_page_ends_where_the_list_ends() -> None:
    assert page(["a", "b"], ["a", "b"], "", 2, None) == (["a", "b"], None)
    assert page([], [], "", 2, None) == ([], None)


def test_without_a_page_there_is_all_up_to_a_bound() -> None:
    names = [f"n{number:05}" for number in range(ALL + 1)]
    part, following = page(names, names, "", None, None)
    assert len(part) == ALL
    assert following is not None


def test_what_goes_or_comes_between_two_pages_moves_nothing() -> None:
    _, following = page(["a", "b", "d"], ["a", "b", "d"], "", 2, None)
    part, _ = page(["a", "c", "d"], ["a", "c", "d"], "", 2, Cursor.of(following or ""))
    assert part == ["c", "d"]


@pytest.mark.parametrize("text", ["x", "bm8", "W10", "WzEsMl0", "é", "W" * 2000, "{}", "bnVsbA"])
def test_a_cursor_that_was_never_given_out_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="cursor"):
        Cursor.of(text)


HOLD: tuple[tuple[str | None, str | None, str | None, bool], ...] = (
    ('"v1"', None, "v1", True),
    ('"v1"', None, "v2", False),
    ('"v1"', None, None, False),
    ('"v0", W/"v1"', None, "v1", True),
    ("*", None, "v1", True),
    ("*", None, None, False),
    (None, "*", None, True),
    (None, "*", "v1", False),
    (None, '"v1"', "v1", False),
    (None, '"v1"', "v2", True),
    (None, None, "v1", True),
)


@pytest.mark.parametrize(("match", "none_match", "version", "holds"), HOLD)
def test_preconditions(match: str | None, none_match: str | None, version: str | None, holds: bool) -> None:
    conditions = Conditions.of(match, none_match)
    if holds:
        conditions.require("Project/web", version)
    else:
        with pytest.raises(PreconditionFailed, match="Project/web"):
            conditions.require("Project/web", version)


def test_the_single_writer_is_told_what_it_must_find() -> None:
    assert Conditions.of('"v1"', None).expected("Project/web", "v1") == {"Project/web": "v1"}
    assert Conditions.of("*", None).expected("Project/web", "v1") == {"Project/web": "v1"}
    assert Conditions.of(None, "*").expected("Project/web", None) == {"Project/web": ""}
    assert Conditions.of(None, '"v1"').expected("Project/web", "v2") == {}
    assert Conditions.of(None, None).expected("Project/web", "v1") == {}
