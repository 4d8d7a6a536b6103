"""References into Git, and the inputs of the Git activities (activities/git.py)."""

from __future__ import annotations

from nautes.resources.payload import Payload


class FetchInput(Payload):
    """Bring a commit into the worker's cache. `ref` is a branch, tag, full ref or commit."""

    repository: str  # path with namespace, "group/name"
    ref: str


class TreeRef(Payload):
    """A directory of a repository at a commit; `path` "" or "." is the root."""

    repository: str  # path with namespace
    commit: str  # full hash
    path: str = ""
