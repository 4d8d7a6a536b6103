"""Authorization: a table of people and changes, decided by the declaration and GitLab's answers, before any effect."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

import pytest

from api.authorization import LEVELS, Change, Rights, may_change, may_read
from api.identity import Caller
from nautes.clients.gitlab import Branch
from nautes.messages.common import Requester
from nautes.messages.errors import Forbidden, NautesError, NotFound
from nautes.resources.base import Resource
from nautes.resources.manifest import resource_of

MAIN = "shop/default.project"
PERSON = Caller(Requester(id=7, username="x", name="X", email=""), "t")
REPORTER, DEVELOPER, MAINTAINER, OWNER = 20, 30, 40, 50


class Directory:
    """A fake GitLab: `levels` by path, `push` to main of the declaration, `group` as it is; requests are recorded."""

    def __init__(
        self,
        levels: Mapping[str, int],
        *,
        push: bool | None = None,
        group: Mapping[str, Any] | None = None,
        creates: bool = True,
        admin: bool = False,
        hides_code: bool = False,
    ) -> None:
        self.levels, self.push, self.shown, self.hides_code = levels, push, group, hides_code
        self.record = {"is_admin": admin, "can_create_group": creates}
        self.asked: list[str] = []
        self.refuses_levels = False  # as to a token without a scope for it

    def user(self, token: str) -> dict[str, Any]:
        return self.record

    def level(self, token: str, user_id: int, path: str, kind: str) -> int | None:
        self.asked.append(path)
        if self.refuses_levels:
            raise Forbidden("gitlab-forbidden", "403 insufficient_scope")
        return self.levels.get(path)

    def branch(self, token: str, path: str, name: str) -> Branch | None:
        self.asked.append(path)
        if self.hides_code:
            raise Forbidden("gitlab-forbidden", "403 Forbidden")
        return Branch("c0ffee", self.push) if self.push is not None and path == MAIN else None

    def group(self, token: str, path: str) -> dict[str, Any] | None:
        return dict(self.shown) if self.shown is not None else None


def _of(kind: str, name: str, **spec: Any) -> Resource:
    key = "productName" if kind == "CodeRepoBinding" else "product"
    owner = {} if kind == "Product" else {key: "shop"}
    return resource_of({"kind": kind, "spec": {"name": name, **owner, **spec}})


ENVIRONMENT = _of("Environment", "test", cluster="c", envType="test")
REPOSITORY = _of("CodeRepo", "code")
BINDING = _of("CodeRepoBinding", "open", coderepo="code", permissions="readonly")
OPENING = _of("CodeRepoBinding", "open", coderepo="code", permissions="readonly", product="guest")
RUNTIME = _of(
    "DeploymentRuntime",
    "web",
    manifestSource={"codeRepo": "code", "targetRevision": "main", "path": "x"},
    destination={"environment": "test"},
)
FOREIGN = _of(
    "DeploymentRuntime",
    "web",
    manifestSource={"codeRepo": "other/code", "targetRevision": "main", "path": "x"},
    destination={"environment": "test"},
)
PRODUCT = _of("Product", "shop", git={"gitlab": {"name": "Shop", "visibility": "private", "description": "toys"}})
NESTED = _of("Product", "family/child")
GROUP = {"name": "Shop", "visibility": "private", "description": "toys"}
DECLARED = {REPOSITORY.key: REPOSITORY}


def _developer(**more: Any) -> Directory:
    levels = {MAIN: DEVELOPER, "shop": DEVELOPER, "shop/code": DEVELOPER}
    return Directory({**levels, **more.pop("levels", {})}, **{"push": True, "group": GROUP, **more})


def _maintainer(**more: Any) -> Directory:
    levels = {MAIN: MAINTAINER, "shop": MAINTAINER, "shop/code": MAINTAINER}
    return _developer(**{**more, "levels": {**levels, **more.get("levels", {})}})


PUSH = "push to main of shop/default.project"
# what, who, action, resources, skip_check, what is refused ("" = nothing)
TABLE: list[tuple[str, Directory, Any, list[Resource], bool, str]] = [
    ("who may push may save an environment", _developer(), "apply", [ENVIRONMENT], False, ""),
    ("who may not push may not", _maintainer(push=False), "apply", [ENVIRONMENT], False, PUSH),
    ("nor delete it", _maintainer(push=False), "remove", [ENVIRONMENT], False, PUSH),
    ("what is hidden is not there", Directory({}), "apply", [ENVIRONMENT], False, "404 no product shop"),
    ("an administrator may", Directory({MAIN: 0, "shop": 0}, push=True, admin=True), "apply", [REPOSITORY], False, ""),
    ("a declaration without a branch", Directory({MAIN: DEVELOPER}), "apply", [ENVIRONMENT], False, "Maintainer (40)"),
    ("... is its maintainer's", Directory({MAIN: MAINTAINER}), "apply", [ENVIRONMENT], False, ""),
    ("skipping checks is a maintainer's", _developer(), "apply", [ENVIRONMENT], True, f"Maintainer (40) on {MAIN}"),
    ("... who may", _maintainer(), "apply", [ENVIRONMENT], True, ""),
    ("saving a repository makes keys", _developer(), "apply", [REPOSITORY], False, "Maintainer (40) on shop/code"),
    ("... which a maintainer may", _maintainer(), "apply", [REPOSITORY], False, ""),
    (
        "a new repository is the group's maintainer's",
        Directory({MAIN: DEVELOPER, "shop": DEVELOPER}, push=True),
        "apply",
        [REPOSITORY],
        False,
        "Maintainer (40) on shop;",
    ),
    ("... who may", Directory({MAIN: MAINTAINER, "shop": MAINTAINER}, push=True), "apply", [REPOSITORY], False, ""),
    ("deleting a repository is its owner's", _maintainer(), "remove", [REPOSITORY], False, "Owner (50) on shop/code"),
    ("... who may", _maintainer(levels={"shop/code": OWNER}), "remove", [REPOSITORY], False, ""),
    (
        "a repository one cannot see is not there",
        Directory({MAIN: DEVELOPER, "shop": 0}, push=True),
        "remove",
        [REPOSITORY],
        False,
        "404 no shop/code",
    ),
    (
        "opening a repository is its maintainer's",
        _developer(),
        "apply",
        [BINDING],
        False,
        "Maintainer (40) on shop/code",
    ),
    ("closing it, too", _developer(), "remove", [BINDING], False, "Maintainer (40) on shop/code"),
    ("... who may", _maintainer(), "apply", [BINDING], False, ""),
    (
        "a runtime needs to read what it uses",
        _developer(levels={"shop/code": 10}),
        "apply",
        [RUNTIME],
        False,
        "Reporter",
    ),
    ("... a developer may", _developer(), "apply", [RUNTIME], False, ""),
    ("... not what is made with it", _maintainer(), "apply", [REPOSITORY, RUNTIME], False, ""),
    ("a repository of others one cannot see", _maintainer(), "apply", [FOREIGN], False, "404 no other/code"),
    ("... also with a new product", Directory({}), "apply", [PRODUCT, FOREIGN], False, "404 no other/code"),
    ("... one may read", _maintainer(levels={"other/code": REPORTER}), "apply", [FOREIGN], False, ""),
    ("a group as it is needs no owner", _developer(), "apply", [PRODUCT, ENVIRONMENT], False, ""),
    (
        "changing it does",
        _maintainer(group={**GROUP, "description": ""}),
        "apply",
        [PRODUCT],
        False,
        "Owner (50) on shop",
    ),
    (
        "... who may",
        _maintainer(group={**GROUP, "name": "old"}, levels={"shop": OWNER}),
        "apply",
        [PRODUCT],
        False,
        "",
    ),
    ("deleting a product is its owner's", _maintainer(), "remove", [PRODUCT], False, "Owner (50) on shop"),
    ("... who may", _maintainer(levels={"shop": OWNER}), "remove", [PRODUCT], False, ""),
    ("a new product", Directory({}), "apply", [PRODUCT, ENVIRONMENT, REPOSITORY], True, ""),
    ("... needs the right to make groups", Directory({}, creates=False), "apply", [PRODUCT], False, "top-level groups"),
    (
        "a plain group is not taken over",
        Directory({"shop": MAINTAINER}, group=GROUP),
        "apply",
        [PRODUCT],
        False,
        "Owner",
    ),
]


@pytest.mark.parametrize(
    ("who", "action", "resources", "skip", "refused"), [each[1:] for each in TABLE], ids=[each[0] for each in TABLE]
)
async def test_a_change_needs_what_its_calls_need(
    who: Directory, action: Any, resources: list[Resource], skip: bool, refused: str
) -> None:
    async def declared() -> Mapping[str, Resource]:
        return DECLARED

    refusal = await _refusal(may_change(Rights(who, PERSON), Change("shop", action, resources, skip), declared))
    assert refused in refusal if refused else refusal == ""


async def _refusal(asked: Coroutine[Any, Any, None]) -> str:
    try:
        await asked
    except NotFound as error:
        return error.message.replace("there is ", "404 ")
    except NautesError as error:
        return error.message
    return ""


@pytest.mark.parametrize(("level", "error"), [(MAINTAINER, None), (DEVELOPER, Forbidden), (None, NotFound)])
async def test_a_group_inside_a_group_is_made_by_the_outer_ones_maintainer(
    level: int | None, error: type[Exception] | None
) -> None:
    rights = Rights(Directory({"family": level} if level else {}), PERSON)

    async def declared() -> Mapping[str, Resource]:
        return {}

    asked = may_change(rights, Change("family/child", "apply", [NESTED]), declared)
    if error is None:
        await asked
    else:
        with pytest.raises(error):
            await asked


async def test_what_git_holds_under_a_bindings_name_counts_as_well_as_what_is_sent() -> None:
    async def declared() -> Mapping[str, Resource]:
        return {**DECLARED, BINDING.key: BINDING}

    mine = _of("CodeRepoBinding", "open", coderepo="mine", permissions="readonly")
    who = _developer(levels={"shop/mine": MAINTAINER})
    with pytest.raises(Forbidden, match="shop/code"):
        await may_change(Rights(who, PERSON), Change("shop", "remove", [mine]), declared)


async def test_a_repository_is_opened_only_to_a_product_that_its_owner_can_see() -> None:
    async def declared() -> Mapping[str, Resource]:
        return DECLARED

    change = Change("shop", "apply", [OPENING])
    with pytest.raises(NotFound, match="there is no guest, or you may not know of it"):
        await may_change(Rights(_developer(levels={"shop/code": MAINTAINER}), PERSON), change, declared)
    seen = _developer(levels={"shop/code": MAINTAINER, "guest": 10})
    await may_change(Rights(seen, PERSON), change, declared)


async def test_a_guest_is_told_what_reading_needs() -> None:
    with pytest.raises(Forbidden, match=r"needs Reporter \(20\) on shop/default.project"):
        await may_read(Rights(Directory({MAIN: 10}, hides_code=True), PERSON), "shop")
    with pytest.raises(NotFound):
        await may_read(Rights(Directory({}), PERSON), "shop")


@pytest.mark.parametrize("path", ["..", "../x", "x/../y", "x/.", "", "/x", "x/", "x//y"])
async def test_paths_that_lead_elsewhere_are_never_asked_for(path: str) -> None:
    directory = Directory({path: OWNER}, push=True)
    rights = Rights(directory, PERSON)
    assert (await rights.level(path), await rights.branch(path), await rights.group(path)) == (None, None, None)
    assert directory.asked == []


async def test_a_question_is_asked_once_per_request_and_anew_for_the_next() -> None:
    directory = _maintainer()
    rights = Rights(directory, PERSON)
    for _ in range(3):
        await rights.level("shop/code")
    assert directory.asked == ["shop/code"]
    await Rights(directory, PERSON).level("shop/code")
    assert directory.asked == ["shop/code"] * 2


def test_levels_have_the_names_of_gitlab() -> None:
    assert (LEVELS[40], LEVELS[20]) == ("Maintainer", "Reporter")
