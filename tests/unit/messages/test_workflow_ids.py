"""Workflow ids: readable, and different things never share one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.messages import ids
from nautes.messages.gitlab import push_event

labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)
paths = st.lists(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}", fullmatch=True), min_size=1, max_size=3).map(
    "/".join
)
events = st.from_regex(r"[0-9a-f]{12}", fullmatch=True)
triggers = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,6}[a-z0-9])?", fullmatch=True)


def test_ids_are_what_the_design_says() -> None:
    assert ids.TENANT == "tenant"
    assert ids.cluster("run") == "cluster/run"
    assert ids.product("group/shop") == "product/group/shop"
    assert ids.deployment("shop", "web") == "deployment/shop/web"
    assert ids.pipeline("shop", "build") == "pipeline/shop/build"
    assert ids.change("shop", "op-1") == "change/shop/op-1"
    assert ids.registration("run", "op-1") == "registration/run/op-1"
    assert ids.run("shop", "build", "0123456789ab", "main") == "run/shop/build/0123456789ab-main"
    assert (ids.product_name(7), ids.repository(3)) == ("product-7", "repo-3")


@given(paths, labels)
def test_product_and_name_can_be_read_back(path: str, name: str) -> None:
    for made in (ids.deployment, ids.pipeline, ids.change):
        assert made(path, name).partition("/")[2].rpartition("/") == (path, "/", name)
    assert ids.product(path).partition("/")[2] == path


@given(paths, labels, events, triggers)
def test_a_run_can_be_read_back(path: str, runtime: str, event: str, trigger: str) -> None:
    place, _, last = ids.run(path, runtime, event, trigger).removeprefix("run/").rpartition("/")
    assert place.rpartition("/") == (path, "/", runtime)
    assert last.partition("-") == (event, "-", trigger)


@given(paths, labels, events, triggers)
def test_a_workflow_names_the_product_it_works_for(path: str, name: str, event: str, trigger: str) -> None:
    of_pairs = [made(path, name) for made in (ids.deployment, ids.pipeline, ids.change)]
    for each in (*of_pairs, ids.product(path), ids.run(path, name, event, trigger)):
        assert ids.product_of(each) == path
    for each in (
        ids.cluster(name),
        ids.namespaces(name),
        ids.observer(name),
        ids.registration(name, event),
        ids.TENANT,
        ids.BRANCH_SWEEP,
    ):
        assert ids.product_of(each) == ""


@pytest.mark.parametrize("other", ["", "product", "product/", "deployment/web", "run/shop/build", "somebody/elses"])
def test_other_ids_name_none(other: str) -> None:
    assert ids.product_of(other) is None


@given(st.lists(st.tuples(paths, labels), min_size=2, max_size=4, unique=True))
def test_different_things_have_different_ids(found: list[tuple[str, str]]) -> None:
    of_pairs = [made(*each) for made in (ids.deployment, ids.pipeline, ids.change) for each in found]
    names = {name for _, name in found}
    of_names = [made(name) for made in (ids.cluster, ids.observer) for name in names]
    products = [ids.product(path) for path in {path for path, _ in found}]
    everything = [*of_pairs, *of_names, *products, ids.TENANT, ids.BRANCH_SWEEP]
    assert len(set(everything)) == len(everything)


@given(st.integers(1, 10**9), st.text(max_size=20), st.from_regex(r"[1-9a-f][0-9a-f]{39}", fullmatch=True))
def test_a_push_has_one_event_however_it_was_heard_of(project: int, branch: str, after: str) -> None:
    event = push_event(project, f"refs/heads/{branch}", "0" * 40, after)
    assert event == push_event(project, f"refs/heads/{branch}", "0" * 40, after)
    assert len(event) == 12 and int(event, 16) >= 0
    assert event != push_event(project + 1, f"refs/heads/{branch}", "0" * 40, after)
    assert event != push_event(project, f"refs/tags/{branch}", "0" * 40, after)
    assert event != push_event(project, f"refs/heads/{branch}", after, "0" * 40)
