"""Groups and projects: made, nested, named, changed, deleted in two steps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.gitlab.support import DEVELOPER, MAINTAINER, OWNER, Maker, quoted, unique
from tests.waiting import until

CHARACTERS = "can contain only letters, digits, '_', '-' and '.'"


def _text(answer: Any) -> str:
    return str(answer.json()["message"])


def test_who_makes_a_group_owns_it(make: Maker) -> None:
    person, path = make.user(), unique("group")
    group = person.api.made("/groups", name="Some Group", path=path)
    assert (group["name"], group["path"], group["full_path"], group["parent_id"]) == ("Some Group", path, path, None)
    assert group["visibility"] == "private"
    assert person.api.seen(f"/groups/{group['id']}/members/all/{person.id}")["access_level"] == OWNER


def test_groups_nest(make: Maker) -> None:
    top = make.group()
    middle = make.group(parent_id=top["id"])
    leaf = make.group(parent_id=middle["id"])
    assert leaf["full_path"] == f"{top['path']}/{middle['path']}/{leaf['path']}"
    assert [each["id"] for each in make.root.seen(f"/groups/{top['id']}/subgroups")] == [middle["id"]]


def test_a_subgroup_needs_a_maintainer(make: Maker) -> None:
    top = make.group()
    for level, status in ((DEVELOPER, 403), (MAINTAINER, 201)):
        person = make.user()
        make.root.made(f"/groups/{top['id']}/members", user_id=person.id, access_level=level)
        name = unique("group")
        assert person.api.post("/groups", name=name, path=name, parent_id=top["id"]).status_code == status


def test_who_may_not_make_groups_is_refused(make: Maker) -> None:
    person = make.user(can_create_group=False)
    assert person.api.post("/groups", name="x", path=unique("group")).status_code == 403


def test_the_path_of_a_group_is_taken_without_regard_to_case(make: Maker) -> None:
    group = make.group()
    answer = make.root.post("/groups", name="x", path=group["path"].upper())
    assert answer.status_code == 400
    assert _text(answer).startswith("Failed to save group {")
    assert "has already been taken" in _text(answer)


@pytest.mark.parametrize("path", ["-leading", "with space", "ends.git", "ends.atom", "s/lash"])
def test_a_path_gitlab_cannot_have_is_refused_in_its_words(make: Maker, path: str) -> None:
    group = make.root.post("/groups", name="x", path=path)
    assert (group.status_code, CHARACTERS in _text(group)) == (400, True)
    space = make.group()["id"]
    project = make.root.post("/projects", name="x", path=path, namespace_id=space)
    assert (project.status_code, CHARACTERS in _text(project)) == (400, True)


def test_a_reserved_name_is_refused_at_the_top(make: Maker) -> None:
    answer = make.root.post("/groups", name="api", path="api")
    assert (answer.status_code, "reserved" in _text(answer)) == (400, True)


def test_what_is_missing_is_named(make: Maker) -> None:
    answer = make.root.post("/groups", name="x")
    assert (answer.status_code, answer.json()) == (400, {"error": "path is missing"})


def test_the_name_of_a_project_is_taken_in_its_group_only(make: Maker) -> None:
    project = make.project(path="default.project")
    body = {"name": project["name"], "path": "default.project"}
    again = make.root.post("/projects", namespace_id=project["namespace"]["id"], **body)
    assert again.status_code == 400
    assert again.json()["message"]["path"] == ["has already been taken"]
    assert make.project(**body)["path"] == "default.project"


def test_a_project_needs_a_group_the_caller_may_use(make: Maker) -> None:
    group, person = make.group(), make.user()
    answer = person.api.post("/projects", name="x", path="x", namespace_id=group["id"])
    assert (answer.status_code, answer.json()["message"]) == (400, {"namespace": ["is not valid"]})


@pytest.mark.parametrize(("parent", "child"), [("private", "public"), ("private", "internal"), ("internal", "public")])
def test_a_child_is_no_more_visible_than_its_parent(make: Maker, parent: str, child: str) -> None:
    group = make.group(visibility=parent)
    answer = make.root.post("/projects", name="x", path="x", namespace_id=group["id"], visibility=child)
    words = [f"{child} is not allowed in a {parent} group."]
    assert (answer.status_code, answer.json()["message"]) == (400, {"visibility_level": words})


def test_a_project_has_no_branch_until_something_is_committed(make: Maker) -> None:
    empty, filled = make.project(), make.project(readme=True)
    assert (empty["empty_repo"], empty["default_branch"]) == (True, None)
    assert make.root.get(f"/projects/{empty['id']}/repository/tree").status_code == 404
    filled = make.root.seen(f"/projects/{filled['id']}")
    assert (filled["empty_repo"], filled["default_branch"]) == (False, "main")


def test_settings_are_changed_in_place(make: Maker) -> None:
    project = make.project()
    group = f"/groups/{project['namespace']['id']}"
    assert make.root.put(group, description="All of it").json()["description"] == "All of it"
    changed = make.root.put(f"/projects/{project['id']}", name="New Name", description="Now with one").json()
    assert (changed["name"], changed["description"]) == ("New Name", "Now with one")
    assert changed["path_with_namespace"] == project["path_with_namespace"]


def test_a_deleted_project_frees_its_path_at_once_and_goes_for_good_on_a_second_word(make: Maker) -> None:
    project = make.project()
    path = f"/projects/{project['id']}"
    assert make.root.delete(path, permanently_remove=True, full_path=project["path_with_namespace"]).status_code == 400
    assert make.root.delete(path).status_code == 202
    assert make.root.get(f"/projects/{quoted(project['path_with_namespace'])}").status_code == 404
    marked = make.root.seen(path)
    assert marked["marked_for_deletion_on"]
    assert marked["path"] == f"{project['path']}-deletion_scheduled-{project['id']}"
    again = make.project(path=project["path"], namespace_id=project["namespace"]["id"])
    assert again["path_with_namespace"] == project["path_with_namespace"]
    wrong = make.root.delete(path, permanently_remove=True, full_path=project["path_with_namespace"])
    assert (wrong.status_code, "`full_path` is incorrect" in _text(wrong)) == (400, True)
    right = make.root.delete(path, permanently_remove=True, full_path=marked["path_with_namespace"])
    assert right.status_code == 202
    until(lambda: make.root.get(path).status_code == 404, "the project is gone")


def test_a_deleted_subgroup_goes_with_all_in_it(make: Maker) -> None:
    top = make.group()
    group = make.group(parent_id=top["id"])
    project = make.project(namespace_id=group["id"])
    path = f"/groups/{group['id']}"
    early = make.root.delete(path, permanently_remove=True, full_path=group["full_path"])
    assert (early.status_code, _text(early)) == (400, "Group must be marked for deletion first.")
    assert make.root.delete(path).status_code == 202
    marked = make.root.seen(path)
    assert marked["marked_for_deletion_on"]
    assert marked["full_path"] == f"{group['full_path']}-deletion_scheduled-{group['id']}"
    assert make.root.get(f"/groups/{quoted(group['full_path'])}").status_code == 404
    assert make.root.delete(path, permanently_remove=True, full_path=marked["full_path"]).status_code == 202
    until(lambda: make.root.get(path).status_code == 404, "the group is gone")
    until(lambda: make.root.get(f"/projects/{project['id']}").status_code == 404, "its project is gone")


def test_a_top_level_group_is_marked_and_stays_until_gitlab_removes_it(make: Maker) -> None:
    group = make.group()
    path = f"/groups/{group['id']}"
    assert make.root.delete(path).status_code == 202
    marked = make.root.seen(path)
    answer = make.root.delete(path, permanently_remove=True, full_path=marked["full_path"])
    refusal = "`permanently_remove` option is only available for subgroups."
    assert (answer.status_code, _text(answer)) == (400, refusal)
    assert make.root.delete(path).status_code == 400
    again = make.root.made("/groups", name=group["name"], path=group["path"])
    assert again["full_path"] == group["full_path"]


def test_only_an_owner_deletes_a_group(make: Maker) -> None:
    group, person = make.group(), make.user()
    make.root.made(f"/groups/{group['id']}/members", user_id=person.id, access_level=MAINTAINER)
    assert person.api.delete(f"/groups/{group['id']}").status_code == 403
