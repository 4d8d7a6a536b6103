"""Bare repositories: what the API reads and writes in them, through libgit2. Pushes come in beside it (smart_http.py).

A commit is a compare-and-swap on the branch: a lock per repository for our own, and git's own ref lock for pushes.
"""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pygit2

from nautes_sandbox.gitlab.problems import bad, not_found

ZERO = "0" * 40
MOVED = "Could not update refs/heads/{}. Please refresh and try again.."


@dataclass(frozen=True)
class Update:
    """One ref that moved."""

    ref: str
    before: str
    after: str

    @property
    def tag(self) -> bool:
        """Whether it is a tag."""
        return self.ref.startswith("refs/tags/")


class Repositories:
    """All repositories of the stand-in, one directory each, named by project id."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._locks: dict[int, threading.Lock] = defaultdict(threading.Lock)

    def path(self, project_id: int) -> Path:
        """Where a repository lies."""
        return self._directory / f"{project_id}.git"

    def create(self, project_id: int) -> None:
        """An empty repository that serves partial and shallow fetches."""
        repository = pygit2.init_repository(str(self.path(project_id)), bare=True, initial_head="main")
        for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.receivepack"):
            repository.config[key] = True

    def delete(self, project_id: int) -> None:
        """Remove a repository."""
        shutil.rmtree(self.path(project_id), ignore_errors=True)

    def open(self, project_id: int) -> pygit2.Repository:
        """Open a repository."""
        return pygit2.Repository(str(self.path(project_id)))

    def lock(self, project_id: int) -> threading.Lock:
        """Held while the API commits to a repository."""
        return self._locks[project_id]


def head(repository: pygit2.Repository, branch: str) -> str:
    """Commit of a branch, or ""."""
    reference = repository.references.get(f"refs/heads/{branch}")
    return str(reference.target) if reference else ""


def resolve(repository: pygit2.Repository, name: str) -> pygit2.Commit | None:
    """A commit by branch, tag, full ref or (abbreviated) hash."""
    for candidate in (f"refs/heads/{name}", f"refs/tags/{name}", name):
        try:
            found = repository.revparse_single(candidate)
        except (KeyError, ValueError, pygit2.GitError):
            continue
        return found.peel(pygit2.Commit)
    return None


def entry(commit: pygit2.Commit, path: str) -> Any:
    """The tree entry at a path, or None."""
    try:
        return commit.tree[path] if path else commit.tree
    except KeyError:
        return None


def last_commit(repository: pygit2.Repository, start: pygit2.Commit, path: str) -> pygit2.Commit:
    """The newest commit, from `start` on, that changed a path."""
    found = start
    wanted = getattr(entry(start, path), "id", None)
    for commit in repository.walk(start.id, pygit2.enums.SortMode.TOPOLOGICAL):
        before = [getattr(entry(parent, path), "id", None) for parent in commit.parents]
        if getattr(entry(commit, path), "id", None) == wanted:
            found = commit
        if not before or all(each != wanted for each in before):
            break
    return found


def stamp(signature: Any) -> str:
    """A signature's time as GitLab writes it."""
    return datetime.fromtimestamp(signature.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+00:00")


def diff(commit: pygit2.Commit) -> list[Any]:
    """What a commit changed against its first parent, a patch per file."""
    before = commit.parents[0].tree if commit.parents else None
    return list(before.diff_to_tree(commit.tree) if before else commit.tree.diff_to_tree(swap=True))


def tree(repository: pygit2.Repository, root: Any, prefix: str, *, recursive: bool) -> list[dict[str, Any]]:
    """Entries of a tree as GitLab lists them."""
    found = []
    for each in root:
        path = f"{prefix}{each.name}"
        kind = "tree" if each.type_str == "tree" else "commit" if each.type_str == "commit" else "blob"
        found.append(
            {"id": str(each.id), "name": each.name, "type": kind, "path": path, "mode": f"{each.filemode:06o}"}
        )
        if recursive and kind == "tree":
            found += tree(repository, each, f"{path}/", recursive=True)
    return found


def commit_actions(
    repository: pygit2.Repository,
    branch: str,
    start: str,
    actions: list[dict[str, Any]],
    message: str,
    author: tuple[str, str],
    committer: tuple[str, str],
) -> str:
    """Carry out file actions as one commit on `branch`; returns its hash. Raises `Problem` in GitLab's words."""
    parent = repository[start].peel(pygit2.Commit) if start else None
    index = pygit2.Index()
    if parent is not None:
        index.read_tree(parent.tree)
    for action in actions:
        _act(repository, index, parent, action)
    tree_id = index.write_tree(repository)
    written = repository.create_commit(
        None,
        pygit2.Signature(*author),
        pygit2.Signature(*committer),
        message,
        tree_id,
        [parent.id] if parent is not None else [],
    )
    move(repository, f"refs/heads/{branch}", start if head(repository, branch) else "", str(written), branch)
    return str(written)


def move(repository: pygit2.Repository, ref: str, old: str, new: str, branch: str) -> None:
    """Compare-and-swap of a ref."""
    try:
        if not old:
            repository.references.create(ref, new, force=False)
            return
        reference = repository.references[ref]
        if str(reference.target) != old:
            raise bad(MOVED.format(branch))
        reference.set_target(new)
    except (KeyError, ValueError, OSError, pygit2.GitError) as error:
        raise bad(MOVED.format(branch)) from error


def _act(repository: pygit2.Repository, index: pygit2.Index, parent: Any, action: dict[str, Any]) -> None:
    kind, path = action.get("action"), str(action.get("file_path", ""))
    _check_path(path)
    there = path in index
    if kind == "create":
        if there:
            raise bad("A file with this name already exists")
    elif kind in ("update", "delete", "chmod", "move"):
        source = str(action.get("previous_path", path)) if kind == "move" else path
        if source not in index:
            raise bad("A file with this name doesn't exist")
        _check_lock(repository, parent, source, action.get("last_commit_id"))
    else:
        raise bad(f"Unknown action '{kind}'")
    if kind == "delete":
        index.remove(path)
        return
    mode = pygit2.enums.FileMode.BLOB
    if kind in ("create", "update") or action.get("content") is not None:
        blob = repository.create_blob(_content(action))
    else:
        source = str(action.get("previous_path", path)) if kind == "move" else path
        blob, mode = index[source].id, index[source].mode
        if kind == "move":
            index.remove(source)
    if action.get("execute_filemode"):
        mode = pygit2.enums.FileMode.BLOB_EXECUTABLE
    index.add(pygit2.IndexEntry(path, blob, mode))


def _check_path(path: str) -> None:
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise bad("You can only create files with a valid path")


def _check_lock(repository: pygit2.Repository, parent: Any, path: str, expected: Any) -> None:
    if expected and str(last_commit(repository, parent, path).id) != expected:
        raise bad("You are attempting to update a file that has changed since you started editing it.")


def _content(action: dict[str, Any]) -> bytes:
    text = str(action.get("content") or "")
    if action.get("encoding") == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise bad("content is not valid base64") from error
    return text.encode()


def need(repository: pygit2.Repository, name: str, what: str = "Commit") -> pygit2.Commit:
    """A commit that must be there."""
    found = resolve(repository, name)
    if found is None:
        raise not_found(what)
    return found


def collect_garbage(path: Path) -> None:
    """Pack loose objects in the background, as git does after pushes."""
    subprocess.Popen(
        ["git", "-C", str(path), "gc", "--auto", "--quiet"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
