"""Files and commits through the API: optimistic locks, all or nothing, and many at once."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.gitlab.support import Maker, quoted

CHANGED = "You are attempting to update a file that has changed since you started editing it."
THREADS = 6


@pytest.fixture
def base(make: Maker) -> str:
    """Path of a repository with a README on main."""
    return f"/projects/{make.project(readme=True)['id']}/repository"


def _commit(make: Maker, base: str, *actions: dict[str, Any], **more: Any) -> Any:
    body = {"branch": "main", "commit_message": "Change", "actions": list(actions), **more}
    return make.root.post(f"{base}/commits", **body)


def _create(path: str, content: str = "x") -> dict[str, Any]:
    return {"action": "create", "file_path": path, "content": content}


def _paths(make: Maker, base: str) -> set[str]:
    return {each["path"] for each in make.root.seen(f"{base}/tree", recursive=True) if each["type"] == "blob"}


def test_a_commit_creates_changes_moves_and_deletes_together(make: Maker, base: str) -> None:
    assert _commit(make, base, _create("a.txt"), _create("b.txt"), _create("c/d.txt")).status_code == 201
    answer = _commit(
        make,
        base,
        {"action": "update", "file_path": "a.txt", "content": "new"},
        {"action": "delete", "file_path": "b.txt"},
        {"action": "move", "file_path": "e.txt", "previous_path": "c/d.txt"},
        author_name="Pat Person",
        author_email="pat@example.com",
    )
    made = answer.json()
    assert (made["author_name"], made["author_email"]) == ("Pat Person", "pat@example.com")
    assert made["committer_name"] == make.root.seen("/user")["name"]
    assert len(made["parent_ids"]) == 1
    assert _paths(make, base) == {"README.md", "a.txt", "e.txt"}
    assert make.root.get(f"{base}/files/a.txt/raw", ref="main").text == "new"


def test_a_commit_with_one_bad_action_changes_nothing(make: Maker, base: str) -> None:
    head = make.root.seen(f"{base}/branches/main")["commit"]["id"]
    answer = _commit(make, base, _create("a.txt"), _create("README.md"))
    assert (answer.status_code, answer.json()["message"]) == (400, "A file with this name already exists")
    assert make.root.seen(f"{base}/branches/main")["commit"]["id"] == head


@pytest.mark.parametrize("path", ["../escape", "a/../../b", ".git/config", "a/.git/hooks/x", "/absolute"])
def test_a_path_that_leads_out_is_refused(make: Maker, base: str, path: str) -> None:
    assert _commit(make, base, _create(path)).status_code == 400
    assert _paths(make, base) == {"README.md"}


def test_a_file_says_what_it_is(make: Maker, base: str) -> None:
    text = "größer\n"
    commit = _commit(make, base, _create("deep/er/file.name.txt", text)).json()["id"]
    path = f"{base}/files/{quoted('deep/er/file.name.txt')}"
    found = make.root.seen(path, ref="main")
    assert base64.b64decode(found["content"]).decode() == text
    assert (found["file_name"], found["size"], found["encoding"]) == ("file.name.txt", len(text.encode()), "base64")
    assert found["last_commit_id"] == found["commit_id"] == commit
    head = make.root.head(path, ref="main").headers
    assert (head["x-gitlab-last-commit-id"], head["x-gitlab-size"]) == (commit, str(len(text.encode())))


def test_a_file_that_is_not_there_is_404_and_a_missing_ref_400(make: Maker, base: str) -> None:
    answer = make.root.get(f"{base}/files/none", ref="main")
    assert (answer.status_code, answer.json()["message"]) == (404, "404 File Not Found")
    unknown = make.root.get(f"{base}/files/README.md", ref="none")
    assert (unknown.status_code, unknown.json()["message"]) == (404, "404 Commit Not Found")
    assert make.root.get(f"{base}/files/README.md").json() == {"error": "ref is missing"}


def test_the_files_api_creates_updates_and_deletes(make: Maker, base: str) -> None:
    path, words = f"{base}/files/one.txt", {"branch": "main", "commit_message": "m"}
    made = make.root.post(path, content="1", **words)
    assert (made.status_code, made.json()) == (201, {"file_path": "one.txt", "branch": "main"})
    assert make.root.post(path, content="1", **words).json()["message"] == "A file with this name already exists"
    assert make.root.put(path, content="2", **words).status_code == 200
    assert make.root.delete(path, **words).status_code == 204
    gone = make.root.put(path, content="3", **words)
    assert (gone.status_code, gone.json()["message"]) == (400, "A file with this name doesn't exist")


def test_binary_content_travels_as_base64(make: Maker, base: str) -> None:
    raw = bytes(range(256))
    action = {**_create("raw.bin", base64.b64encode(raw).decode()), "encoding": "base64"}
    assert _commit(make, base, action).status_code == 201
    assert make.root.get(f"{base}/files/raw.bin/raw", ref="main").content == raw


@pytest.mark.parametrize("action", ["update", "delete"])
def test_a_stale_lock_is_refused_and_a_fresh_one_taken(make: Maker, base: str, action: str) -> None:
    old = make.root.seen(f"{base}/files/README.md", ref="main")["last_commit_id"]
    update = {"action": "update", "file_path": "README.md", "content": "theirs", "last_commit_id": old}
    new = _commit(make, base, update).json()["id"]
    ours = {"action": action, "file_path": "README.md", "content": "ours"}
    stale = _commit(make, base, {**ours, "last_commit_id": old})
    assert (stale.status_code, stale.json()["message"]) == (400, CHANGED)
    assert _commit(make, base, _create("beside.txt")).status_code == 201
    assert _commit(make, base, {**ours, "last_commit_id": new}).status_code == 201


def test_start_sha_begins_a_branch_and_does_not_move_one(make: Maker, base: str) -> None:
    first = make.root.seen(f"{base}/branches/main")["commit"]["id"]
    assert _commit(make, base, _create("later.txt")).status_code == 201
    made = _commit(make, base, _create("a.txt"), branch="topic", start_sha=first).json()
    assert made["parent_ids"] == [first]
    again = _commit(make, base, _create("b.txt"), branch="topic", start_sha=first)
    assert again.status_code == 400
    assert again.json()["message"].startswith("A branch called 'topic' already exists.")
    both = _commit(make, base, _create("b.txt"), branch="new", start_sha=first, start_branch="main")
    assert both.json()["message"] == "You can't pass both start_branch and start_sha"
    unknown = _commit(make, base, _create("b.txt"), branch="new", start_sha="f" * 40)
    assert unknown.json()["message"] == f"Cannot find start_sha '{'f' * 40}'"


def test_a_commit_to_a_branch_that_is_not_there_is_refused(make: Maker, base: str) -> None:
    answer = _commit(make, base, _create("a.txt"), branch="none")
    words = "You can only create or edit files when you are on a branch"
    assert (answer.status_code, answer.json()["message"]) == (400, words)


def test_of_many_who_change_one_file_at_once_one_wins(make: Maker, base: str) -> None:
    lock = make.root.seen(f"{base}/files/README.md", ref="main")["last_commit_id"]

    def change(number: int) -> Any:
        action = {"action": "update", "file_path": "README.md", "content": str(number), "last_commit_id": lock}
        return _commit(make, base, action)

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(change, range(THREADS)))
    assert sorted(each.status_code for each in answers) == [201] + [400] * (THREADS - 1)
    refusals = {each.json()["message"] for each in answers if each.status_code == 400}
    assert refusals <= {CHANGED, "Could not update refs/heads/main. Please refresh and try again.."}
    assert len(make.root.seen(f"{base}/commits")) == 2


def test_many_who_commit_at_once_lose_nothing(make: Maker, base: str) -> None:
    def add(number: int) -> str:
        while True:
            answer = _commit(make, base, _create(f"{number}.txt"))
            if answer.status_code == 201:
                return str(answer.json()["id"])
            assert answer.json()["message"] == "Could not update refs/heads/main. Please refresh and try again.."

    with ThreadPoolExecutor(THREADS) as pool:
        made = set(pool.map(add, range(THREADS)))
    history = make.root.seen(f"{base}/commits")
    assert made == {each["id"] for each in history[:THREADS]}
    assert _paths(make, base) == {"README.md", *(f"{number}.txt" for number in range(THREADS))}


def test_commits_are_compared_and_told_with_their_trailers(make: Maker, base: str) -> None:
    first = make.root.seen(f"{base}/branches/main")["commit"]["id"]
    words = "Add it\n\nSome-Operation: op-1"
    made = _commit(make, base, _create("a.txt"), commit_message=words).json()
    shown = make.root.seen(f"{base}/commits/{made['id']}")
    assert (shown["title"], shown["trailers"]) == ("Add it", {"Some-Operation": "op-1"})
    compared = make.root.seen(f"{base}/compare", **{"from": first, "to": "main"})
    assert [each["id"] for each in compared["commits"]] == [made["id"]]
    assert [(each["new_path"], each["new_file"]) for each in compared["diffs"]] == [("a.txt", True)]
