"""Plans of generated changes: they can be executed, they foresee what follows from the commit, and they end in nothing to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from nautes.planning.change import consequences_of
from nautes.planning.declaration import digest
from nautes.planning.effects import Objects
from nautes.planning.head import Head, follow_up
from nautes.planning.moves import moves, moving
from nautes.planning.runtimes import key_of
from nautes.planning.steps import Effect, Step
from nautes.resources.base import Resource
from nautes.resources.manifest import resource_of
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment, Git, Product
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.rules import deletions
from tests.unit.planning.trees import PRODUCT, State, declarations, product, registered

THE_PRODUCT = Product(name=PRODUCT)
LAST = ("end", "delete-repository", "delete-group")
Resources = list[Resource]


def _executable(steps: list[Step]) -> None:
    seen: set[str] = set()
    for each in steps:
        assert each.id not in seen
        assert set(each.needs) <= seen, f"{each.id} needs {set(each.needs) - seen}, which comes later or not at all"
        seen.add(each.id)


def _all_effects(steps: Iterable[Step]) -> list[Effect]:
    return [line for each in steps for line in each.effects]


def _needed(step: Step, steps: list[Step]) -> set[str]:
    """Everything that is done before a step."""
    by_id = {each.id: each for each in steps}
    found: set[str] = set()
    waiting = list(step.needs)
    while waiting:
        if (key := waiting.pop()) not in found:
            found.add(key)
            waiting += by_id[key].needs
    return found


@given(declarations, declarations, registered)
def test_every_step_comes_after_what_it_needs_and_once(
    old: Resources, new: Resources, clusters: frozenset[str]
) -> None:
    empty = State(registered=clusters)
    _executable(empty.steps(empty.intent("apply", THE_PRODUCT, *old)))
    state = product(old, clusters)
    _executable(state.steps(state.intent("apply", *new)))
    _executable(state.steps(state.intent("remove", *new)))
    _executable(state.steps(state.intent("remove", THE_PRODUCT, *old)))


OPENED_AMONG_NEW_ONES = [
    *(CodeRepo(name=each, product="shop", git=Git()) for each in ("source", "deploy", "pipelines")),
    CodeRepoBinding(name="share", product="shop", coderepo="deploy", permissions="readonly"),
]


@given(declarations, declarations, registered, st.booleans(), st.booleans())
@example([], OPENED_AMONG_NEW_ONES, frozenset(), False, False)
def test_a_plan_foresees_what_follows_from_its_commit(
    old: Resources, new: Resources, clusters: frozenset[str], fresh: bool, removes: bool
) -> None:
    """Ids of repositories that the change makes are not known to the plan; everything else of it is."""
    state = State(registered=clusters) if fresh else product(old, clusters)
    named = [THE_PRODUCT, *new] if fresh else new
    intent = state.intent("remove" if removes and not fresh else "apply", *named)
    steps = state.steps(intent)
    if not any(each.kind == "commit" for each in steps):
        assert intent.removes and not intent.gone
        return
    _, followed = state.after(intent)
    _executable(followed.steps)
    before = {each.id for each in steps if "commit" not in each.needs}
    deleted = {each.name for each in named if isinstance(each, CodeRepo)} if intent.removes else set()
    expected = [each for each in followed.steps if each.id not in before]
    expected = [each for each in expected if each.kind != "withdraw" or each.subject.rpartition("/")[2] not in deleted]
    foreseen = [each for each in steps if "commit" in each.needs and each.kind not in LAST]
    assert [(each.id, each.kind, each.effects) for each in foreseen] == [
        (each.id, each.kind, each.effects) for each in expected
    ]


@given(declarations, registered)
def test_the_same_again_does_nothing(resources: Resources, clusters: frozenset[str]) -> None:
    state = product(resources, clusters)
    again = state.intent("apply", THE_PRODUCT, *resources)
    steps = state.steps(again)
    assert _all_effects(steps) == []
    assert {each.kind for each in steps} <= {"group", "repository", "commit"}, "nobody is asked or notified"
    assert state.after(again)[1].steps == []


@given(declarations, declarations)
def test_a_change_and_its_opposite_end_where_they_began(old: Resources, new: Resources) -> None:
    state = product(old)
    changed, _ = state.after(state.intent("apply", *new))
    gone = [each for each in new if each.key not in state.tree.resources]
    without, _ = changed.after(changed.intent("remove", *gone))
    back, followed = without.after(without.intent("apply", *old))
    assert back.tree.resources == state.tree.resources
    for each in ("repositories", "grants", "clusters", "reported_uses", "held", "pending"):
        assert getattr(followed.known, each) == getattr(state.known, each), each
    resolved = {key_of(each): digest(each) for each in followed.specs}
    assert resolved == state.known.digests


@given(declarations, registered)
def test_a_product_is_removed_in_order(resources: Resources, clusters: frozenset[str]) -> None:
    state = product(resources, clusters)
    steps = state.steps(state.intent("remove", THE_PRODUCT, *resources))
    by_kind = {kind: [each for each in steps if each.kind == kind] for kind in ("commit", "runtime", *LAST)}
    runtimes = [each for each in resources if isinstance(each, DeploymentRuntime | ProjectPipelineRuntime)]
    assert {each.id for each in by_kind["end"]} == {f"end:{each.key}" for each in runtimes}
    told = {each.id for each in by_kind["runtime"]}
    assert {each.removeprefix("runtime:") for each in told} == set(state.known.digests)
    ended = {each.id for each in by_kind["end"]}
    assert all(told <= _needed(each, steps) for each in by_kind["end"])
    names = {each.subject for each in by_kind["delete-repository"]}
    own = {f"repository {PRODUCT}/{each.name}" for each in resources if isinstance(each, CodeRepo)}
    assert names == {*own, f"repository {PRODUCT}/default.project"}
    assert all(ended <= _needed(each, steps) for each in by_kind["delete-repository"])
    (last,) = by_kind["delete-group"]
    assert steps[-1] == last
    assert _needed(last, steps) == {each.id for each in steps} - {last.id}
    assert not any(each.kind == "withdraw" for each in steps), "what is deleted does not have to be left first"


# Runtimes that move

PLACES = st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=1, unique=True)
COUNTS = st.dictionaries(st.sampled_from(["one", "two", "three", "four"]), st.integers(1, 9))


def _runtime(namespaces: list[str], **more: Any) -> DeploymentRuntime:
    spec = {
        "name": "web",
        "product": PRODUCT,
        "manifestSource": {"codeRepo": "deploy", "targetRevision": "main", "path": "x"},
        "destination": {"environment": "test", "namespaces": namespaces},
    }
    return DeploymentRuntime.model_validate({**spec, **more})


def _shop(namespaces: list[str], *, protected: bool = False) -> Resources:
    environment = resource_of(
        {
            "kind": "Environment",
            "spec": {"name": "test", "product": PRODUCT, "cluster": "edge", "envType": "t", "protected": protected},
        }
    )
    return [environment, CodeRepo(name="deploy", product=PRODUCT, project="web"), _runtime(namespaces)]


@given(PLACES, PLACES, COUNTS, st.booleans())
def test_objects_in_namespaces_that_stay_are_kept_and_the_others_are_counted(
    old: list[str], new: list[str], counts: dict[str, int], protected: bool
) -> None:
    state = product(_shop(old, protected=protected))
    counts = {name: counts.get(name, 0) for name in old}
    left = [name for name in old if name not in new]
    claims = tuple(f"{name}/data" for name in old if counts[name])
    objects = {"DeploymentRuntime/web": Objects(by_namespace=counts, claims=claims)}
    intent = state.intent("apply", _runtime(new))
    steps = state.steps(intent, objects)
    lines = {(each.action, each.target): each for each in _all_effects(steps)}

    def of(action: str, count: int) -> Effect | None:
        return lines.get((action, f"{count} objects of deployment web in edge"))  # type: ignore[call-overload]

    lost, kept = sum(counts[name] for name in left), sum(counts[name] for name in old if name in new)
    assert bool(of("replace", lost)) == bool((lost and set(old) != set(new)) or lost)
    if set(old) != set(new) or old != new:
        assert bool(of("keep", kept)) == bool(kept)
    gone = [each for each in claims if each.partition("/")[0] in left]
    if lost:
        replaced = of("replace", lost)
        assert replaced and replaced.detail == f"volume claims {', '.join(gone)}"
    assert {target for action, target in lines if action == "create" and target.startswith("Namespace")} == {
        f"Namespace {name} in edge" for name in new if name not in old
    }
    assert {target for action, target in lines if action == "delete" and target.startswith("Namespace")} == {
        f"Namespace {name} in edge" for name in left
    }
    (commit,) = [each for each in steps if each.kind == "commit"]
    assert commit.deletions == (lost + len(left) if protected else len(gone))
    found = deletions.check(intent.gone, intent.before, None, None, consequences_of(intent, state.observation(objects)))
    assert bool(found) == bool(commit.deletions) == bool(commit.why)
    confirmed = deletions.check(
        intent.gone,
        intent.before,
        commit.deletions,
        None,
        consequences_of(intent, state.observation(objects)),
    )
    assert confirmed == []


@given(declarations, declarations)
def test_what_has_to_be_counted_is_every_runtime_that_is_placed_otherwise(old: Resources, new: Resources) -> None:
    state = product(old)
    intent = state.intent("apply", *new)
    counted = moving(intent.before, intent.after)
    found = moves(intent.before, intent.after, {})
    assert counted == {key: each for key, each in found.items() if each.before}


# What has to be confirmed


def test_a_project_that_was_never_declared_is_not_removed() -> None:
    state = product([CodeRepo(name="deploy", product=PRODUCT, project="web")])
    state = replace(state, projects={**state.projects, "legacy": {**state.projects["deploy"], "id": 99}})
    intent = state.intent("remove", CodeRepo(name="legacy", product=PRODUCT, project="web"))
    assert [each.kind for each in state.steps(intent)] == []


def test_a_removal_that_is_repeated_deletes_what_was_declared_and_asks_for_it() -> None:
    deploy = CodeRepo(name="deploy", product=PRODUCT, project="web")
    state = product([deploy])
    gone, _ = state.after(state.intent("remove", deploy))
    again = replace(gone, known=state.known, projects=state.projects)  # the commit was made, the deletion was not
    intent = again.intent("remove", deploy)
    assert [each.kind for each in again.steps(intent)] == ["delete-repository"]
    (consequence,) = consequences_of(intent, again.observation())
    assert (consequence.count, consequence.why) == (1, f"repository {PRODUCT}/deploy has commits")


def test_a_repository_that_goes_on_under_another_name_keeps_what_it_has() -> None:
    state = product([CodeRepo(name="deploy", product=PRODUCT, project="web")])
    number = state.known.repositories["deploy"]
    names = replace(state.declaration.names, repositories={"renamed": number})
    tree = state.tree.remove(["CodeRepo/deploy"]).apply([CodeRepo(name="renamed", product=PRODUCT, project="web")])
    pushed = replace(state.declaration, names=names, tree=tree)
    head = Head(declaration=pushed, known=state.known, before=state.tree, pushed=tree, registered=state.registered)
    assert "withdraw" not in [each.kind for each in follow_up(head).steps]


def test_a_repository_that_was_deleted_by_hand_is_made_again_under_its_new_id() -> None:
    deploy = CodeRepo(name="deploy", product=PRODUCT, project="web")
    state = product([deploy])
    gone = replace(state, projects={})
    steps = gone.steps(gone.intent("apply", deploy))
    assert [each.id for each in steps if "repository" in each.id] == ["repository:deploy"]
    names = replace(state.declaration.names, repositories={"deploy": 4711})
    made = replace(state.declaration, names=names)
    head = Head(declaration=made, known=state.known, before=state.tree, pushed=state.tree, registered=state.registered)
    assert follow_up(head).known.repositories == {"deploy": 4711}


def test_a_namespace_that_goes_takes_every_volume_claim_in_it() -> None:
    shop = _shop(["one", "two"], protected=False)
    state = product(shop)
    objects = {"DeploymentRuntime/web": Objects(by_namespace={"one": 1}, claims=("two/data-db-0",))}
    intent = state.intent("apply", _runtime(["one"]))
    (consequence,) = consequences_of(intent, state.observation(objects))
    assert consequence.why == "DeploymentRuntime/web loses the volume claims two/data-db-0"


def test_a_repository_that_has_commits_is_deleted_only_when_that_is_confirmed() -> None:
    state = product([CodeRepo(name="deploy", product=PRODUCT, project="web")])
    intent = state.intent("remove", CodeRepo(name="deploy", product=PRODUCT, project="web"))
    (consequence,) = consequences_of(intent, state.observation())
    assert consequence.why == f"repository {PRODUCT}/deploy has commits"
    (finding,) = deletions.check(intent.gone, intent.before, None, None, [consequence])
    assert "has commits" in finding.message and finding.hint == "confirm with --confirm-deletions 1"
    assert deletions.check(intent.gone, intent.before, 1, None, [consequence]) == []
    (delete,) = [each for each in state.steps(intent) if each.kind == "delete-repository"]
    assert delete.why == consequence.why


def test_an_empty_repository_is_deleted_without_a_question() -> None:
    state = product([CodeRepo(name="deploy", product=PRODUCT, project="web")])
    empty = State(
        state.declaration, state.known, {"deploy": {**state.projects["deploy"], "empty_repo": True}}, group=state.group
    )
    intent = empty.intent("remove", CodeRepo(name="deploy", product=PRODUCT, project="web"))
    assert consequences_of(intent, empty.observation()) == []


def test_what_lies_in_a_protected_environment_is_removed_only_when_that_is_confirmed() -> None:
    state = product(_shop(["one"], protected=True))
    intent = state.intent("remove", _runtime(["one"]))
    (finding,) = deletions.check(intent.gone, intent.before)
    assert finding.rule == "deletions-unconfirmed" and "protected" in finding.message


def test_another_cluster_of_an_environment_moves_its_runtimes_although_they_are_not_named() -> None:
    state = product(_shop(["one"], protected=True))
    environment = state.tree.get(Environment, "test")
    assert environment
    intent = state.intent("apply", environment.model_copy(update={"cluster": "far"}))
    objects = {"DeploymentRuntime/web": Objects(by_namespace={"one": 3})}
    steps = state.steps(intent, objects)
    (runtime,) = [each for each in steps if each.kind == "runtime"]
    assert ("replace", "3 objects of deployment web in edge") in [
        (each.action, each.target) for each in runtime.effects
    ]
    assert [each.count for each in consequences_of(intent, state.observation(objects))] == [4]
