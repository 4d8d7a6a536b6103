"""Groups, repositories, statuses and the feed: a second try writes nothing, and a failed call leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from activities.feed import FeedActivities
from activities.gitlab import GitLabActivities
from nautes.messages.errors import Forbidden, NotFound
from nautes.messages.gitlab import CommentInput, FeedCursor, FeedInput, GroupInput, Push, RepositoryInput, StatusInput
from tests.contract.gitlab.support import OWNER, Clone, quoted, unique
from tests.integration.activities.support import NOTHING, Systems, survives
from tests.waiting import until


def _input(systems: Systems, path: str = "", **more: Any) -> GroupInput:
    path = path or unique("shop")
    values = {"name": "The Shop", "visibility": "private", "description": "All we sell", "owner": systems.person}
    return GroupInput.model_validate({"path": path, **values, **more})


def _group(systems: Systems, input: GroupInput) -> Any:
    """A group as people see it, without what differs between two of the same."""
    root = systems.make.root
    found = root.seen(f"/groups/{quoted(input.path)}")
    members = root.seen(f"/groups/{found['id']}/members")
    levels = sorted((each["id"] == input.owner.id, each["access_level"]) for each in members)
    return {key: found[key] for key in ("name", "visibility", "description")}, levels


def test_a_group_is_made_as_declared_and_owned_by_who_asked(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    input = _input(systems)
    assert gitlab_activities.ensure_group(input).made == "created"
    fields, levels = _group(systems, input)
    assert fields == {"name": "The Shop", "visibility": "private", "description": "All we sell"}
    assert (True, OWNER) in levels
    assert systems.written_by(lambda: gitlab_activities.ensure_group(input)) == NOTHING
    assert gitlab_activities.ensure_group(input).made == "unchanged"


def test_a_group_that_differs_is_corrected_with_one_write(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    input = _input(systems)
    state = gitlab_activities.ensure_group(input)
    systems.make.root.put(f"/groups/{state.id}", description="Something else")
    results = []
    written = systems.written_by(lambda: results.append(gitlab_activities.ensure_group(input)))
    assert (written, results[0].made) == ((1, []), "changed")
    assert _group(systems, input)[0]["description"] == "All we sell"


def test_a_nested_group_is_made_in_its_parent_and_missing_parents_are_told(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    parent = systems.make.group()
    input = _input(systems, f"{parent['path']}/{unique('shop')}")
    assert gitlab_activities.ensure_group(input).path == input.path
    with pytest.raises(NotFound):
        gitlab_activities.ensure_group(_input(systems, f"{unique('nobody')}/shop"))


def test_a_group_of_others_is_not_taken(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    other = systems.make.user()
    path = unique("theirs")
    group = other.api.made("/groups", name=path, path=path)
    with pytest.raises(Forbidden, match="group-foreign"):
        gitlab_activities.ensure_group(_input(systems, path, name=path))
    assert systems.make.root.get(f"/groups/{group['id']}/members/{systems.person.id}").status_code == 404


def test_a_product_of_others_is_refused_before_anything_is_written(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    path = unique("theirs")
    owner = systems.make.user().api
    group = owner.made("/groups", name=path, path=path)
    owner.made("/projects", name="default.project", path="default.project", namespace_id=group["id"])
    for spelled in (path, path.capitalize()):
        with pytest.raises(Forbidden, match="group-foreign"):
            gitlab_activities.ensure_group(_input(systems, spelled, description="taken over"))
    assert not systems.make.root.get(f"/groups/{group['id']}").json()["description"]


def test_a_group_survives_a_failure_at_every_call(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    failed = survives(
        systems,
        lambda: _input(systems),
        gitlab_activities.ensure_group,
        lambda input: _group(systems, input),
        within=("gitlab",),
    )
    assert failed >= 6


def _repository(systems: Systems, initialize: bool = True) -> RepositoryInput:
    group = systems.make.group()["path"]
    return RepositoryInput(group=group, path="default.project", name="Declared", description="d", initialize=initialize)


def _project(systems: Systems, input: RepositoryInput) -> Any:
    root = systems.make.root
    listed = root.seen(f"/groups/{quoted(input.group)}/projects")
    commits = [root.seen(f"/projects/{each['id']}/repository/commits") for each in listed]
    return [(each["path"], each["name"], each["description"]) for each in listed], [len(each) for each in commits]


def test_a_repository_is_made_once_and_corrected(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    input = _repository(systems)
    state = gitlab_activities.ensure_repository(input)
    assert (state.made, state.path) == ("created", f"{input.group}/default.project")
    assert _project(systems, input) == ([("default.project", "Declared", "d")], [1])
    assert systems.written_by(lambda: gitlab_activities.ensure_repository(input)) == NOTHING
    systems.make.root.put(f"/projects/{state.id}", name="By hand")
    assert gitlab_activities.ensure_repository(input).made == "changed"
    assert _project(systems, input)[0] == [("default.project", "Declared", "d")]


def test_a_repository_survives_a_failure_at_every_call(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    failed = survives(
        systems,
        lambda: _repository(systems),
        gitlab_activities.ensure_repository,
        lambda input: _project(systems, input),
        within=("gitlab",),
    )
    assert failed >= 4


def test_the_tenant_repository_is_made_once_even_if_a_call_fails(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    def look(name: str) -> Any:
        path = systems.make.root.seen(f"/projects/{quoted(f'{name}/management')}")
        return len(systems.make.root.seen(f"/projects/{path['id']}/repository/commits"))

    ensure = gitlab_activities.ensure_tenant_repository
    assert survives(systems, lambda: unique("tenant"), ensure, look, within=("gitlab",)) >= 6


# Removal


@pytest.mark.parametrize("nested", [False, True])
def test_the_removal_of_a_group_frees_its_path_and_survives_a_failure_at_every_call(
    systems: Systems, gitlab_activities: GitLabActivities, nested: bool
) -> None:
    def arrange() -> str:
        group = systems.make.group(**({"parent_id": systems.make.group()["id"]} if nested else {}))
        systems.make.project(namespace_id=group["id"], path="default.project", name="default.project")
        return str(group["full_path"])

    def look(path: str) -> Any:
        found = systems.make.root.get(f"/groups/{quoted(path)}").status_code
        return found, path in gitlab_activities.product_paths(1).paths

    assert survives(systems, arrange, gitlab_activities.delete_group, look, within=("gitlab",)) >= 6


def test_a_removed_product_is_no_product_and_can_be_made_anew(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    input = _input(systems)
    gitlab_activities.ensure_group(input)
    gitlab_activities.ensure_repository(RepositoryInput(group=input.path, path="default.project", name="d"))
    assert input.path in gitlab_activities.product_paths(1).paths
    assert gitlab_activities.delete_group(input.path).removed is True
    assert not [each for each in gitlab_activities.product_paths(1).paths if each.startswith(input.path)]
    assert gitlab_activities.delete_group(input.path).removed is False
    assert gitlab_activities.ensure_group(input).made == "created"


# Statuses and the feed


def _status(systems: Systems, **more: Any) -> StatusInput:
    row = systems.make.project(readme=True)
    commit = systems.make.root.seen(f"/projects/{row['id']}/repository/branches/main")["commit"]["id"]
    values = {"name": "build", "state": "success", "description": "done", "ref": "main"}
    return StatusInput.model_validate({"project_id": row["id"], "commit": commit, **values, **more})


def _statuses(systems: Systems, input: StatusInput) -> Any:
    path = f"/projects/{input.project_id}/repository/commits/{input.commit}/statuses"
    return [(each["name"], each["status"]) for each in systems.make.root.seen(path, all=True)]


def test_a_status_is_set_once_and_a_later_one_is_not_taken_back(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    input = _status(systems, state="running")
    assert gitlab_activities.set_commit_status(input).changed is True
    assert systems.written_by(lambda: gitlab_activities.set_commit_status(input)) == NOTHING
    assert gitlab_activities.set_commit_status(input.model_copy(update={"state": "pending"})).changed is False
    assert _statuses(systems, input) == [("build", "running")]


def test_a_status_survives_a_failure_at_every_call(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    failed = survives(
        systems,
        lambda: _status(systems),
        gitlab_activities.set_commit_status,
        lambda input: _statuses(systems, input),
        within=("gitlab",),
    )
    assert failed == 4


def _comment(systems: Systems, marker: str = "registration/edge/one") -> CommentInput:
    project = systems.make.project()
    commit = systems.make.commit(project)["id"]
    return CommentInput(project_id=project["id"], commit=commit, marker=marker, text="**no**: not like this")


def _notes(systems: Systems, input: CommentInput) -> list[str]:
    path = f"/projects/{input.project_id}/repository/commits/{input.commit}/comments"
    return [str(each["note"]) for each in systems.make.root.seen(path)]


def test_a_comment_is_made_once_per_marker_whatever_it_says(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    input = _comment(systems)
    assert gitlab_activities.comment(input).changed is True
    again = input.model_copy(update={"text": "in other words"})
    assert systems.written_by(lambda: gitlab_activities.comment(again)) == NOTHING
    assert gitlab_activities.comment(again).changed is False
    assert gitlab_activities.comment(input.model_copy(update={"marker": "registration/edge/two"})).changed is True
    notes = _notes(systems, input)
    assert [each.split("\n")[0] for each in notes] == ["**no**: not like this"] * 2


def test_a_comment_survives_a_failure_at_every_call(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    failed = survives(
        systems,
        lambda: _comment(systems),
        gitlab_activities.comment,
        lambda input: _notes(systems, input),
        within=("gitlab",),
    )
    assert failed == 4


class Feed:
    """The feed, read as the sweep does: one page is enough for what a test does."""

    def __init__(self, systems: Systems) -> None:
        self._activities = FeedActivities(systems.gitlab)
        self._cursor = FeedCursor()

    def news(self) -> list[Push]:
        page = self._activities.feed(FeedInput(cursor=self._cursor))
        recent = [*self._cursor.recent, *page.events]
        floor = self._cursor.floor if self._cursor.read else page.newest
        self._cursor = FeedCursor(read=True, floor=floor, newest=page.newest, at=page.at, recent=recent)
        return page.pushes


def test_the_feed_gives_each_push_once_oldest_first(
    systems: Systems, gitlab_activities: GitLabActivities, tmp_path: Any
) -> None:
    input = RepositoryInput(group=_owned(systems, gitlab_activities), path="code", name="code", initialize=True)
    state = gitlab_activities.ensure_repository(input)
    row = systems.make.root.seen(f"/projects/{state.id}")
    feed = Feed(systems)
    assert feed.news() == []
    commits = [systems.make.commit(row)["id"] for _ in range(2)]
    pushes = feed.news()
    assert [(each.ref, each.after) for each in pushes] == [("refs/heads/main", each) for each in commits]
    assert {each.repository for each in pushes} == {state.path}
    assert feed.news() == []
    clone = Clone(row, systems.make.root, tmp_path / "clone")
    assert clone.git("push", "--quiet", "origin", *(f"main:b{number}" for number in range(5))).returncode == 0
    many = until(feed.news, "the push is in the feed")
    assert {each.ref for each in many} == {"refs/heads/main", *(f"refs/heads/b{number}" for number in range(5))}


def _owned(systems: Systems, gitlab_activities: GitLabActivities) -> str:
    input = _input(systems)
    gitlab_activities.ensure_group(input)
    return input.path


def test_the_feed_tells_of_pushes_in_a_group_that_was_there_before_the_platform(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    path = unique("adopted")
    made = systems.make.root.made("/groups", name=path, path=path)
    systems.make.root.made(f"/groups/{made['id']}/members", user_id=systems.person.id, access_level=OWNER)
    gitlab_activities.ensure_group(_input(systems, path, name=path))
    state = gitlab_activities.ensure_repository(RepositoryInput(group=path, path="code", name="c", initialize=True))
    feed = Feed(systems)
    feed.news()
    commit = systems.make.commit({"id": state.id})["id"]
    assert [each.after for each in feed.news()] == [commit]
