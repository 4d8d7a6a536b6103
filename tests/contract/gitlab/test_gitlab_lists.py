"""Pages of a list, as the platform walks them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.gitlab.support import DEVELOPER, MAINTAINER, REPORTER, Api, Maker, next_page, unique

SIZE, PER_PAGE = 5, 2


@pytest.fixture(scope="module")
def group(make: Maker) -> Any:
    group = make.group()
    for _ in range(SIZE):
        make.project(namespace_id=group["id"])
    return group


def test_a_page_tells_how_many_there_are_and_where_the_next_is(root: Api, group: Any) -> None:
    answer = root.get(f"/groups/{group['id']}/projects", per_page=PER_PAGE, page=2)
    shown = {name: answer.headers[f"x-{name}"] for name in ("total", "total-pages", "page", "per-page")}
    assert shown == {"total": "5", "total-pages": "3", "page": "2", "per-page": "2"}
    assert (answer.headers["x-prev-page"], answer.headers["x-next-page"]) == ("1", "3")
    assert len(answer.json()) == PER_PAGE


def test_the_links_lead_through_every_item_once(root: Api, group: Any) -> None:
    seen = _followed(root, f"/groups/{group['id']}/projects?per_page={PER_PAGE}")
    assert len(seen) == len(set(seen)) == SIZE


def _followed(api: Api, path: str) -> list[int]:
    """Ids of everything the links lead to, in order."""
    seen: list[int] = []
    while path:
        answer = api.get(path)
        assert answer.status_code == 200, answer.text
        seen += [each["id"] for each in answer.json()]
        path = next_page(answer).removeprefix(f"{api.url}/api/v4")
    return seen


@pytest.fixture
def reader(make: Maker, group: Any) -> Api:
    """Somebody who sees nothing but this group."""
    person = make.user()
    make.root.made(f"/groups/{group['id']}/members", user_id=person.id, access_level=REPORTER)
    return person.api


@pytest.mark.parametrize(("sort", "bound"), [("asc", "id_after"), ("desc", "id_before")])
def test_projects_are_paged_by_key_without_totals(reader: Api, sort: str, bound: str) -> None:
    query = f"/projects?pagination=keyset&order_by=id&sort={sort}&per_page={PER_PAGE}&membership=true"
    first = reader.get(query)
    assert bound in next_page(first)
    assert not [name for name in first.headers if name.startswith("x-total") or name == "x-page"]
    seen = _followed(reader, query)
    assert len(seen) == SIZE
    assert seen == sorted(seen, reverse=sort == "desc")


def test_a_project_that_comes_while_pages_are_read_moves_none_of_the_others(
    make: Maker, reader: Api, group: Any
) -> None:
    query = f"/projects?pagination=keyset&order_by=id&per_page={PER_PAGE}&membership=true"
    before = _followed(reader, query)
    first = reader.get(query)
    project = make.project(namespace_id=group["id"])
    rest = _followed(reader, next_page(first).removeprefix(f"{reader.url}/api/v4"))
    assert [each["id"] for each in first.json()] + rest == before
    marked = make.root.delete(f"/projects/{project['id']}")
    path = make.root.seen(f"/projects/{project['id']}")["path_with_namespace"]
    gone = make.root.delete(f"/projects/{project['id']}", permanently_remove=True, full_path=path)
    assert (marked.status_code, gone.status_code) == (202, 202)


@pytest.mark.parametrize("query", ["/projects?order_by=name", "/groups?order_by=id", "/groups?order_by=name&sort=desc"])
def test_an_order_that_has_no_key_is_not_paged_by_key(reader: Api, query: str) -> None:
    answer = reader.get(f"{query}&pagination=keyset")
    words = {"error": "Keyset pagination is not yet available for this type of request"}
    assert (answer.status_code, answer.json()) == (405, words)


def test_groups_are_paged_by_name_with_a_cursor(make: Maker) -> None:
    person = make.user()
    groups = [person.api.made("/groups", name=unique("group"), path=unique("group")) for _ in range(3)]
    seen = _followed(person.api, "/groups?pagination=keyset&order_by=name&per_page=2&min_access_level=50")
    assert seen == [each["id"] for each in sorted(groups, key=lambda each: each["name"])]


def test_projects_are_listed_from_a_level_on(make: Maker) -> None:
    person, wanted = make.user(), {}
    for level in (REPORTER, DEVELOPER, MAINTAINER):
        wanted[level] = make.project()
        make.root.made(f"/projects/{wanted[level]['id']}/members", user_id=person.id, access_level=level)
    seen = person.api.seen("/projects", min_access_level=DEVELOPER)
    assert {each["id"] for each in seen} == {wanted[DEVELOPER]["id"], wanted[MAINTAINER]["id"]}
    assert person.api.get("/projects", min_access_level=31).status_code == 400


def test_groups_are_listed_from_a_level_on_with_what_is_below_them(make: Maker) -> None:
    person = make.user()
    owned, read, public = make.group(), make.group(), make.group(visibility="public")
    below = make.group(parent_id=owned["id"])
    for group, level in ((owned, MAINTAINER), (read, REPORTER)):
        make.root.made(f"/groups/{group['id']}/members", user_id=person.id, access_level=level)
    seen = person.api.seen("/groups", min_access_level=MAINTAINER)
    assert {each["id"] for each in seen} == {owned["id"], below["id"]}
    top = person.api.seen("/groups", min_access_level=MAINTAINER, top_level_only=True)
    assert [each["id"] for each in top] == [owned["id"]]
    assert public["id"] in {each["id"] for each in person.api.seen("/groups", search=public["path"])}
    assert person.api.seen("/groups", search=public["path"], all_available=False) == []


def test_an_administrator_is_a_member_of_nothing_for_that(make: Maker) -> None:
    person = make.user()
    group = person.api.made("/groups", name=unique("group"), path=unique("group"))
    project = person.api.made("/projects", name="p", path=unique("project"), namespace_id=group["id"])
    assert make.root.seen("/projects", search=project["path"])
    for query in ({"membership": True}, {"min_access_level": 10}):
        assert make.root.seen("/projects", search=project["path"], **query) == []
    assert make.root.seen("/groups", search=group["path"], min_access_level=10) == []


def test_a_search_looks_at_the_names_of_groups_when_asked_to(make: Maker, reader: Api, group: Any) -> None:
    assert reader.seen("/projects", search=group["path"], membership=True) == []
    seen = reader.seen("/projects", search=group["path"], search_namespaces=True, membership=True)
    assert len(seen) == SIZE


def test_a_simple_list_says_less(reader: Api) -> None:
    whole, simple = (reader.seen("/projects", membership=True, simple=each)[0] for each in (False, True))
    assert set(simple) < set(whole)
    assert "permissions" not in simple
    assert simple["namespace"] == whole["namespace"]


def test_a_page_after_the_last_is_empty(root: Api, group: Any) -> None:
    answer = root.get(f"/groups/{group['id']}/projects", per_page=PER_PAGE, page=4)
    assert (answer.status_code, answer.json(), answer.headers["x-next-page"]) == (200, [], "")


def test_a_page_has_twenty_items_unless_asked_and_never_over_a_hundred(root: Api, group: Any) -> None:
    path = f"/groups/{group['id']}/projects"
    assert root.get(path).headers["x-per-page"] == "20"
    assert root.get(path, per_page=1000).headers["x-per-page"] == "100"


def test_head_gives_the_headers_alone(root: Api, group: Any) -> None:
    answer = root.head(f"/groups/{group['id']}/projects")
    assert (answer.status_code, answer.headers["x-total"], answer.content) == (200, "5", b"")


def test_a_list_holds_only_what_the_caller_may_see(make: Maker, group: Any) -> None:
    person = make.user()
    project = make.project(namespace_id=group["id"], visibility="private")
    make.root.made(f"/projects/{project['id']}/members", user_id=person.id, access_level=20)
    assert [each["id"] for each in person.api.seen(f"/groups/{group['id']}/projects")] == [project["id"]]
    assert [each["id"] for each in person.api.seen("/projects", membership=True)] == [project["id"]]
    assert make.root.delete(f"/projects/{project['id']}").status_code == 202


def test_a_search_finds_by_part_of_the_name(make: Maker, group: Any) -> None:
    project = make.project(namespace_id=group["id"])
    found = make.root.seen("/projects", search=project["path"][3:])
    assert [each["id"] for each in found] == [project["id"]]
    assert make.root.delete(f"/projects/{project['id']}").status_code == 202
