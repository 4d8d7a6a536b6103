"""`nautes delete`: by name, one question each on a terminal, `-y` in a pipe; and deletions that want their number repeated."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.unit.cli.fake import TOKEN, FakeApi, Nautes, Reply, finding, operation, operations, problem
from tests.unit.cli.terminal import Reaction, on_terminal

BASE = "/api/v1/products/g%2Fshop/environments"
UNCONFIRMED = problem(
    422, "deletions-unconfirmed", "7 resources would go", [finding("deletions-unconfirmed", "7 resources would go")]
)
ONE = "/api/v1/products/g%2Fshop/environments/one"


@pytest.fixture(autouse=True)
def environments(api: FakeApi) -> None:
    """Three environments that can go."""
    for name in ("one", "two", "three"):
        api.on("DELETE", f"{BASE}/{name}", operations(operation("done", f"Environment/{name} removed", deletions=1)))


def _gone(api: FakeApi) -> list[str]:
    return [
        each.path.rpartition("/")[2] for each in api.asked if each.method == "DELETE" and "dry_run" not in each.query
    ]


def test_in_a_pipe_it_needs_yes(nautes: Nautes, api: FakeApi) -> None:
    ended = nautes("delete", "env", "one", "two", "-p", "g/shop", stdin="y\ny\n")
    assert (ended.code, ended.out, api.asked) == (2, "", [])
    ended = nautes("delete", "env", "one", "two", "-p", "g/shop", "-y", "-i", "--confirm-deletions", "2")
    assert (ended.code, ended.out, ended.err) == (0, "Environment/one removed\nEnvironment/two removed\n", "")
    assert api.last("DELETE").query == {"wait": ["30"], "insecure_skip_check": ["true"], "confirm_deletions": ["1"]}


def test_several_are_confirmed_by_their_sum(nautes: Nautes, api: FakeApi) -> None:
    filled = operation("done", "Environment/two removed", deletions=2, confirm="two has commits")
    api.on("DELETE", f"{BASE}/two", operations(filled))
    for wrong in ([], ["--confirm-deletions", "1"]):
        ended = nautes("delete", "env", "one", "two", "-p", "g/shop", "-y", *wrong)
        assert (ended.code, _gone(api)) == (1, [])
        assert "3 resources would be deleted; Environment/two: two has commits" in ended.err
        assert "confirm with --confirm-deletions 3" in ended.err
    assert nautes("delete", "env", "one", "two", "-p", "g/shop", "-y", "--confirm-deletions", "3").code == 0
    confirmed = [each.query.get("confirm_deletions") for each in api.asked if "dry_run" not in each.query]
    assert confirmed == [["1"], ["2"]]


def test_one_that_is_refused_does_not_keep_the_others(nautes: Nautes, api: FakeApi) -> None:
    used = finding("environment-used", "it is used by web", resource="Environment/one")
    api.on("DELETE", ONE, problem(422, "environment-used", "it is used by web", [used]))
    ended = nautes("delete", "environments", "one", "moon", "two", "-p", "g/shop", "-y")
    assert (ended.code, ended.out) == (1, "Environment/two removed\n")
    assert "Environment/one: it is used by web (environment-used)\n" in ended.err
    assert "Environment/moon: there is no " in ended.err


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        (("y", "n", "y"), ["one", "three"]),
        (("n", "A"), ["two", "three"]),
        (("A",), ["one", "two", "three"]),
        (("n", "", "whatever"), []),
    ],
)
def test_a_person_is_asked_for_each_name(said: tuple[str, ...], gone: list[str], api: FakeApi) -> None:
    names = ("one", "two", "three")
    answers: tuple[Reaction, ...] = tuple(
        (f"delete Environment/{name}? [y/n/A]", each) for name, each in zip(names, said, strict=False)
    )
    code, shown = on_terminal("delete", "env", *names, "-p", "g/shop", answers=answers)
    assert (code, _gone(api)) == (0, gone)
    assert [name for name in names if f"Environment/{name} removed" in shown] == gone


def test_a_person_repeats_the_number_of_deletions(api: FakeApi) -> None:
    Path("web.yaml").write_text("kind: Project\nspec: {name: web, product: shop}\n")
    api.on("POST", "/api/v1/remove", UNCONFIRMED, operations(operation("done", "Project/web removed")))
    code, shown = on_terminal("remove", "-f", "web.yaml", answers=(("type the number of deletions", "7"),))
    assert code == 0
    assert "7 resources would go" in shown
    assert shown.rstrip().endswith("Project/web removed")
    assert [each.query.get("confirm_deletions") for each in api.asked] == [None, ["7"]]


def test_a_person_who_types_no_number_stops_it(api: FakeApi) -> None:
    Path("web.yaml").write_text("kind: Project\nspec: {name: web, product: shop}\n")
    api.on("POST", "/api/v1/remove", UNCONFIRMED)
    code, shown = on_terminal("remove", "-f", "web.yaml", answers=(("type the number of deletions", "yes"),))
    assert (code, len(api.asked)) == (1, 1)
    assert shown.rstrip().endswith("nautes: 7 resources would go")


def test_deleting_by_name_asks_for_the_number_too(api: FakeApi) -> None:
    api.on("DELETE", ONE, UNCONFIRMED, operations(operation("done", "Environment/one removed")))
    code, _ = on_terminal("delete", "env", "one", "-p", "g/shop", "-y", answers=(("type the number", "7"),))
    assert (code, api.last("DELETE").query["confirm_deletions"]) == (0, ["7"])


def test_a_terminal_sees_the_running_step_and_no_token(api: FakeApi) -> None:
    Path("web.yaml").write_text("kind: Project\nspec: {name: web, product: shop}\n")
    running, ended = operation("running"), operation("done", "Project/web created")
    path = f"/api/v1/operations/{running['operation']}"
    step = Reply(json={"operation": running["operation"], "state": "running", "step": "Group shop", "retry": None})
    api.on("POST", "/api/v1/apply", operations(running))
    seen = threading.Event()
    api.on("GET", path, lambda _: Reply(json=ended) if seen.is_set() else step)
    code, shown = on_terminal("apply", "-f", "web.yaml", answers=(("(Group shop)", seen.set),))
    assert code == 0
    assert "\x1b[" in shown
    assert "Project/web created" in shown
    assert TOKEN not in shown
