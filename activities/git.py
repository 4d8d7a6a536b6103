"""Reads Git repositories: fetches a commit into the cache. Called by the deployment and run workflows."""

from __future__ import annotations

from temporalio import activity

from nautes.clients.git import GitCache
from nautes.messages.git import FetchInput


class GitActivities:
    """Reads repositories through the worker's cache; writes nothing anywhere else."""

    def __init__(self, git: GitCache) -> None:
        self._git = git

    @activity.defn(name="git.fetch")
    def fetch(self, input: FetchInput) -> str:
        """Bring a ref's commit into the cache; its hash. Idempotent: what is there is not fetched again."""
        return self._git.fetch(input.repository, input.ref)
