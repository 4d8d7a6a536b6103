"""Pages of a list, as the platform walks them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.gitlab.support import Api, Maker

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
    seen, path, query = [], f"/groups/{group['id']}/projects", {"per_page": PER_PAGE}
    while path:
        answer = root.get(path, **query)
        seen += [each["id"] for each in answer.json()]
        link = re.search(r'<([^>]+)>; rel="next"', answer.headers["link"])
        path, query = (link[1].removeprefix(f"{root.url}/api/v4"), {}) if link else ("", {})
    assert len(seen) == len(set(seen)) == SIZE


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
