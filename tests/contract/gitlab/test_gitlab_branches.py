"""Branches, their protection, and git over HTTP, with GitLab's own refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.contract.gitlab.support import DEVELOPER, GUEST, MAINTAINER, REPORTER, Api, Clone, Maker, git, unique
from tests.waiting import until

PROTECTED = "GitLab: You are not allowed to push code to protected branches on this project."


@pytest.fixture
def project(make: Maker) -> Any:
    return make.root.seen(f"/projects/{make.project(readme=True)['id']}")


def test_the_first_push_makes_the_default_branch_and_protects_it(make: Maker, tmp_path: Path) -> None:
    project = make.project()
    maintainer = make.member(project, MAINTAINER)
    clone = Clone(project, maintainer.api, tmp_path / "clone")
    commit = clone.commit()
    assert clone.git("push", "--quiet", "origin", "main").returncode == 0
    path = f"/projects/{project['id']}/repository/branches/main"
    branch = until(lambda: _when(make.root.seen(path), "default"), "main is the default branch")
    assert (branch["commit"]["id"], branch["protected"]) == (commit, True)
    assert make.root.get(f"/projects/{project['id']}/repository/files/file.txt/raw", ref="main").text == "text\n"


def _when(row: Any, key: str) -> Any:
    return row if row[key] else None


def test_a_developer_cannot_push_to_a_protected_branch_and_reads_why(make: Maker, project: Any, tmp_path: Path) -> None:
    developer = make.member(project, DEVELOPER)
    clone = Clone(project, developer.api, tmp_path / "clone")
    clone.commit()
    refused = clone.git("push", "origin", "main")
    assert refused.returncode != 0
    assert PROTECTED in refused.stderr
    assert "pre-receive hook declined" in refused.stderr
    assert clone.git("push", "--quiet", "origin", "main:topic").returncode == 0
    names = {each["name"] for each in make.root.seen(f"/projects/{project['id']}/repository/branches")}
    assert names == {"main", "topic"}


def test_one_refused_branch_refuses_the_whole_push(make: Maker, project: Any, tmp_path: Path) -> None:
    clone = Clone(project, make.member(project, DEVELOPER).api, tmp_path / "clone")
    clone.commit()
    assert clone.git("push", "origin", "main:main", "main:topic").returncode != 0
    assert [each["name"] for each in make.root.seen(f"/projects/{project['id']}/repository/branches")] == ["main"]


def test_the_api_refuses_the_same_in_other_words(make: Maker, project: Any) -> None:
    api, base = make.member(project, DEVELOPER).api, f"/projects/{project['id']}/repository"
    action = {"action": "create", "file_path": "a", "content": "a"}
    commit = api.post(f"{base}/commits", branch="main", commit_message="m", actions=[action])
    words = "You are not allowed to push into this branch"
    assert (commit.status_code, commit.json()["message"]) == (403, f"403 Forbidden - {words}")
    file = api.post(f"{base}/files/a", branch="main", commit_message="m", content="a")
    assert (file.status_code, file.json()["message"]) == (400, words)


def test_a_protected_branch_is_neither_forced_nor_deleted(make: Maker, project: Any, tmp_path: Path) -> None:
    clone = Clone(project, make.member(project, MAINTAINER).api, tmp_path / "clone")
    clone.commit()
    assert clone.git("push", "--quiet", "origin", "main", "main:topic").returncode == 0
    assert clone.git("reset", "--quiet", "--hard", "HEAD~1").returncode == 0
    forced = clone.git("push", "--force", "origin", "main")
    assert "You are not allowed to force push code to a protected branch on this project." in forced.stderr
    default = clone.git("push", "origin", ":main")
    assert "The default branch of a project cannot be deleted." in default.stderr
    make.root.made(f"/projects/{project['id']}/protected_branches", name="topic")
    deleted = clone.git("push", "origin", ":topic")
    assert "You can only delete protected branches using the web interface." in deleted.stderr


def test_an_unprotected_branch_is_forced_and_deleted(make: Maker, project: Any, tmp_path: Path) -> None:
    clone = Clone(project, make.member(project, DEVELOPER).api, tmp_path / "clone")
    clone.commit("one.txt")
    assert clone.git("push", "--quiet", "origin", "main:topic").returncode == 0
    clone.git("commit", "--quiet", "--amend", "-m", "Other words")
    assert clone.git("push", "--quiet", "--force", "origin", "main:topic").returncode == 0
    assert clone.git("push", "--quiet", "origin", ":topic").returncode == 0
    assert make.root.get(f"/projects/{project['id']}/repository/branches/topic").status_code == 404


def test_protection_is_set_once_by_name_or_pattern_and_taken_back(make: Maker, project: Any) -> None:
    base = f"/projects/{project['id']}/protected_branches"
    assert make.root.get(f"{base}/release%2F1").status_code == 404
    made = make.root.made(base, name="release/*", push_access_level=MAINTAINER)
    assert [each["access_level"] for each in made["push_access_levels"]] == [MAINTAINER]
    again = make.root.post(base, name="main")
    assert (again.status_code, again.json()["message"]) == (409, "Protected branch 'main' already exists")
    branch = make.root.made(f"/projects/{project['id']}/repository/branches", branch="release/1", ref="main")
    assert branch["protected"] is True
    assert make.root.delete(f"{base}/release%2F%2A").status_code == 204
    branches = f"/projects/{project['id']}/repository/branches"
    assert make.root.seen(f"{branches}/release%2F1")["protected"] is False


NOBODY = 0


@pytest.mark.parametrize("least", [NOBODY, DEVELOPER, MAINTAINER])
def test_a_branch_says_who_may_push_and_that_is_so(make: Maker, project: Any, least: int) -> None:
    base = f"/projects/{project['id']}"
    names = {NOBODY: "No one", DEVELOPER: "Developers + Maintainers", MAINTAINER: "Maintainers"}
    made = make.root.made(f"{base}/protected_branches", name="topic", push_access_level=least)
    (level,) = made["push_access_levels"]
    assert (level["access_level"], level["access_level_description"]) == (least, names[least])
    make.root.made(f"{base}/repository/branches", branch="free", ref="main")
    make.root.made(f"{base}/repository/branches", branch="topic", ref="main")
    for rank in (REPORTER, DEVELOPER, MAINTAINER):
        api = make.member(project, rank).api
        may = bool(least) and rank >= least
        action = {"action": "create", "file_path": unique("file"), "content": "a"}
        body = {"commit_message": "m", "actions": [action]}
        assert api.seen(f"{base}/repository/branches/topic")["can_push"] is may
        assert api.post(f"{base}/repository/commits", branch="topic", **body).is_success is may
        shown = {each["name"]: each["can_push"] for each in api.seen(f"{base}/repository/branches")}
        assert shown == {"free": rank >= DEVELOPER, "main": rank >= MAINTAINER, "topic": may}
    branch = make.root.seen(f"{base}/repository/branches/topic")
    assert (branch["developers_can_push"], branch["can_push"]) == (least == DEVELOPER, least != NOBODY)


def test_git_says_no_where_the_branch_does(make: Maker, project: Any, tmp_path: Path) -> None:
    make.root.made(f"/projects/{project['id']}/protected_branches", name="closed", push_access_level=NOBODY)
    clone = Clone(project, make.member(project, MAINTAINER).api, tmp_path / "clone")
    clone.commit()
    refused = clone.git("push", "origin", "main:closed")
    assert (refused.returncode != 0, PROTECTED in refused.stderr) == (True, True)


def test_of_several_protections_the_widest_counts(make: Maker, project: Any) -> None:
    base = f"/projects/{project['id']}"
    make.root.made(f"{base}/protected_branches", name="release/1", push_access_level=NOBODY)
    make.root.made(f"{base}/protected_branches", name="release/*", push_access_level=DEVELOPER)
    make.root.made(f"{base}/repository/branches", branch="release/1", ref="main")
    developer = make.member(project, DEVELOPER).api
    assert developer.seen(f"{base}/repository/branches/release%2F1")["can_push"] is True


def test_protection_is_changed_in_place(make: Maker, project: Any, tmp_path: Path) -> None:
    base = f"/projects/{project['id']}/protected_branches"
    changed = make.root.patch(f"{base}/main", allow_force_push=True)
    assert (changed.status_code, changed.json()["allow_force_push"]) == (200, True)
    clone = Clone(project, make.member(project, MAINTAINER).api, tmp_path / "clone")
    clone.commit()
    assert clone.git("push", "--quiet", "origin", "main").returncode == 0
    clone.git("commit", "--quiet", "--amend", "-m", "Other words")
    assert clone.git("push", "--quiet", "--force", "origin", "main").returncode == 0
    assert make.root.patch(f"{base}/none", allow_force_push=True).status_code == 404
    developer = make.member(project, DEVELOPER).api
    assert developer.patch(f"{base}/main", allow_force_push=False).status_code == 403


def test_a_level_of_protection_that_is_none_is_refused(make: Maker, project: Any) -> None:
    answer = make.root.post(f"/projects/{project['id']}/protected_branches", name="x", push_access_level=REPORTER)
    assert (answer.status_code, answer.json()["error"]) == (400, "push_access_level does not have a valid value")


def test_branches_are_made_once_from_what_is_there(make: Maker, project: Any) -> None:
    base = f"/projects/{project['id']}/repository/branches"
    make.root.made(base, branch="v1.2", ref="main")
    assert make.root.post(base, branch="v1.2", ref="main").json()["message"] == "Branch already exists"
    unknown = make.root.post(base, branch="x", ref="none")
    words = "Failed to create branch 'x': invalid reference name 'none'"
    assert (unknown.status_code, unknown.json()["message"]) == (400, words)
    assert make.root.delete(f"{base}/v1.2").status_code == 204
    gone = make.root.get(f"{base}/v1.2")
    assert (gone.status_code, gone.json()["message"]) == (404, "404 Branch Not Found")


@pytest.mark.parametrize(("level", "said"), [(REPORTER, "403"), (GUEST, "403"), (0, "not found")])
def test_who_may_not_push_is_told_so_before_anything_is_sent(
    make: Maker, project: Any, tmp_path: Path, level: int, said: str
) -> None:
    person = make.member(project, level) if level else make.user()
    clone = Clone(project, make.root, tmp_path / "clone")
    clone.commit()
    refused = git("push", project["http_url_to_repo"], "main", cwd=clone.directory, token=person.api.token)
    assert refused.returncode != 0
    assert said in refused.stderr or "not allowed" in refused.stderr


def test_a_wrong_password_is_refused_and_a_stranger_learns_nothing(make: Maker, project: Any, tmp_path: Path) -> None:
    url = f"{project['http_url_to_repo']}/info/refs?service=git-upload-pack"
    wrong = httpx2.get(url, auth=("any", unique("glpat")))
    assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, 'Basic realm="GitLab"')
    assert wrong.text.startswith("HTTP Basic: Access denied.")
    stranger = make.user().api.token
    hidden = git("ls-remote", project["http_url_to_repo"], cwd=tmp_path, token=stranger)
    missing = git("ls-remote", project["http_url_to_repo"] + "x", cwd=tmp_path, token=stranger)
    assert hidden.returncode == missing.returncode != 0
    assert "not found" in hidden.stderr
    assert "not found" in missing.stderr


def test_a_public_project_is_cloned_by_anybody(make: Maker, anonymous: Api, tmp_path: Path) -> None:
    project = make.root.seen(f"/projects/{make.project(readme=True, visibility='public')['id']}")
    Clone(project, anonymous, tmp_path / "clone")
    assert (tmp_path / "clone" / "README.md").exists()


def test_tags_come_by_git_and_by_api(make: Maker, project: Any, tmp_path: Path) -> None:
    clone = Clone(project, make.member(project, MAINTAINER).api, tmp_path / "clone")
    assert clone.git("tag", "v1").returncode == 0
    assert clone.git("push", "--quiet", "origin", "v1").returncode == 0
    base = f"/projects/{project['id']}/repository/tags"
    make.root.made(base, tag_name="v2", ref="main")
    assert {each["name"] for each in make.root.seen(base)} == {"v1", "v2"}
    assert make.root.post(base, tag_name="v2", ref="main").json()["message"] == "Tag v2 already exists"
