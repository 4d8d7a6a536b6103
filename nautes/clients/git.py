"""A cache of bare repositories: fetches commits over HTTP with the git command, reads trees with pygit2. Never a checkout.

Called by activities/git.py and the convergence activity. Safe for several processes on one directory; it may be lost at any
time. Credentials travel in the environment of the git process only.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

import pygit2

from nautes.clients.git_directory import GitDirectory
from nautes.clients.trees import File, Limits, TreeReader
from nautes.messages.errors import Forbidden, NautesError, NotFound, Refused, Unavailable
from nautes.telemetry import tracing
from nautes.telemetry.metrics import Calls

__all__ = ["CommitInfo", "File", "GitCache", "Limits"]

Credentials = Callable[[], tuple[str, str]]
Found = TypeVar("Found")

ATTEMPTS = 3  # to read a commit before it is removed again
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?$")
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,254}$")
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|^/|\.lock(?:/|$)|(?:^|/)\.|\.$")
_CALLS = Calls("git")
_KEPT = "refs/nautes/"  # one ref per fetched commit: it is complete, and garbage collection keeps it


@dataclass(frozen=True)
class CommitInfo:
    """Author and message of a commit."""

    author: str
    email: str
    message: str

    def trailer(self, name: str) -> str:
        """The last value of a trailer of the message, "" when there is none."""
        found = re.findall(rf"^{re.escape(name)}:[ \t]*(.*)$", self.message, re.MULTILINE)
        return found[-1].strip() if found else ""


class GitCache:
    """Repositories below `base_url` ("http://host/"), cached in `directory`; `credentials` gives (user, token) anew each time."""

    def __init__(self, directory: Path, base_url: str, credentials: Credentials, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._directory = GitDirectory(directory, self._limits.cache)
        self._base = base_url.rstrip("/") + "/"
        self._credentials = credentials
        self._due: dict[tuple[str, str], Future[str]] = {}  # fetches that have yet to begin, by repository and source
        self._guard = threading.Lock()

    def fetch(self, repository: str, ref_or_commit: str) -> str:
        """Bring a branch, tag, full ref or commit into the cache; return its commit. What is there already is not fetched.

        Raises NotFound (no such repository, ref or commit), Forbidden, Unavailable, Refused.
        """
        if _SHA.match(ref_or_commit):
            return self._fetch_commit(repository, ref_or_commit)
        for name in _names(ref_or_commit):
            # One process, not two: asking for the head first would cost as much as a fetch that finds nothing new.
            with suppress(_NoSuchRef):
                return self._fetch(repository, name)
        raise NotFound("git-ref", f"{repository} has no branch or tag {ref_or_commit}")

    def files(self, repository: str, commit: str, path: str = "", limits: Limits | None = None) -> list[File]:
        """All files below `path` of a commit, fetched first if it is not here. Raises Refused and NotFound."""

        def read(cached: pygit2.Repository) -> list[File]:
            try:
                return TreeReader(cached, limits or self._limits).files(commit, path)
            except NotFound as error:
                raise NotFound(error.code, f"{repository} at {commit[:12]}: {error.message}") from None

        return self._read(repository, commit, read)

    def about(self, repository: str, commit: str) -> CommitInfo:
        """Author and message of a commit, fetched first if it is not here."""

        def read(cached: pygit2.Repository) -> CommitInfo:
            found = cached[commit].peel(pygit2.Commit)
            return CommitInfo(found.author.name, found.author.email, found.message)

        return self._read(repository, commit, read)

    def _read(self, repository: str, commit: str, read: Callable[[pygit2.Repository], Found]) -> Found:
        path = self._path(repository)
        for _ in range(ATTEMPTS):
            self.fetch(repository, commit)
            with self._directory.reading(path):
                if self._has(path, commit):  # else it was removed in between
                    return read(pygit2.Repository(str(path)))
        raise Unavailable("git-cache", f"{repository} at {commit[:12]} does not stay in the cache")

    def _fetch_commit(self, repository: str, commit: str) -> str:
        path = self._path(repository)
        return commit if self._has(path, commit) else self._fetch(repository, commit)

    def _fetch(self, repository: str, source: str) -> str:
        """`source` is a full ref or a commit.

        Callers that wait for the same source share one fetch, which begins after the last of them has called.
        """
        key, mine = (repository, source), Future[str]()
        with self._guard:
            due = self._due.setdefault(key, mine)
        if due is not mine:
            return due.result()
        try:
            mine.set_result(self._fetch_in_turn(repository, source, lambda: self._begin(key, mine)))
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            self._begin(key, mine)
        return mine.result()

    def _begin(self, key: tuple[str, str], mine: Future[str]) -> None:
        """Callers from now on get a fetch of their own: they may want something newer."""
        with self._guard:
            if self._due.get(key) is mine:
                del self._due[key]

    def _fetch_in_turn(self, repository: str, source: str, begin: Callable[[], None]) -> str:
        path = self._path(repository)
        with self._directory.writing(path):
            begin()
            if self._has(path, source):  # a commit that another caller fetched meanwhile
                return source
            commit = self._bring(repository, path, source)
            if self._directory.crowded(path) and self._directory.remove(path):
                commit = self._bring(repository, path, source)
        self._directory.clean_in_time()
        return commit

    def _bring(self, repository: str, path: Path, source: str) -> str:
        if not (path / "HEAD").exists():
            pygit2.init_repository(str(path), bare=True)
        incoming = f"{_KEPT}incoming"
        command = ["fetch", "--depth=1", f"--filter=blob:limit={self._limits.fetched}", "--no-tags", "--force"]
        command += ["--no-write-fetch-head", "--no-auto-gc", "--", self._url(repository), f"{source}:{incoming}"]
        self._git(command, repository, path)
        return self._keep(path, incoming, repository)

    def _keep(self, path: Path, incoming: str, repository: str) -> str:
        """Keep the fetched commit under a ref of its own; the branch may have moved on meanwhile."""
        cached = pygit2.Repository(str(path))
        try:
            commit = str(cached.references[incoming].peel(pygit2.Commit).id)
        except (KeyError, pygit2.GitError, pygit2.InvalidSpecError):
            raise Refused("git-ref", f"what was asked for in {repository} is not a commit") from None
        cached.references.create(_KEPT + commit, commit, force=True)
        cached.references.delete(incoming)
        return commit

    def _has(self, path: Path, commit: str) -> bool:
        if not _SHA.match(commit) or not (path / "HEAD").exists():
            return False
        if _KEPT + commit not in pygit2.Repository(str(path)).references:
            return False
        os.utime(path)
        return True

    def _path(self, repository: str) -> Path:
        if not all(_SEGMENT.match(each) and not each.endswith((".git", ".")) for each in repository.split("/")):
            raise Refused("git-repository", "that cannot be the path of a repository")
        return self._directory.path(hashlib.sha256((self._base + repository).encode()).hexdigest()[:40])

    def _url(self, repository: str) -> str:
        self._path(repository)
        return f"{self._base}{quote(repository)}.git"

    def _git(self, arguments: Sequence[str], repository: str, path: Path | None = None) -> str:
        with tracing.span(f"git {arguments[0]}", **{"server.address": urlsplit(self._base).netloc}), _CALLS.counted():
            began = time.perf_counter()
            output, complaint, ended = self._run(arguments, repository, path)
            error = _error(repository, complaint.decode(errors="replace")) if ended else None
            _CALLS.ended(_outcome(error), began)
        if error:
            raise error
        return output.decode(errors="replace")

    def _run(self, arguments: Sequence[str], repository: str, path: Path | None) -> tuple[bytes, bytes, int]:
        command = ["git", *(["--git-dir", str(path)] if path else []), *arguments]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(),
            start_new_session=True,
        )
        try:
            output, complaint = process.communicate(timeout=self._limits.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # helpers of git, too
            process.communicate()
            raise Unavailable("git-timeout", f"{repository}: no answer in {self._limits.seconds:.0f} s") from None
        return output, complaint, process.returncode

    def _environment(self) -> Mapping[str, str]:
        """Of this process only PATH; no configuration of this machine; no prompt, no redirect, no protocol but HTTP."""
        user, token = self._credentials()
        settings = {
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": str(int(self._limits.seconds)),
            "protocol.version": "2",
            "fetch.unpackLimit": "1",  # a pack appears as a whole: a killed fetch leaves no incomplete one
            "core.askPass": "true",
            "credential.helper": "",
        }
        if token:
            basic = base64.b64encode(f"{user}:{token}".encode()).decode()
            settings[f"http.{self._base}.extraHeader"] = f"Authorization: Basic {basic}"
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "LC_ALL": "C"}
        environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        environment |= {"GIT_ALLOW_PROTOCOL": "http:https", "GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings.items()):
            environment[f"GIT_CONFIG_KEY_{number}"], environment[f"GIT_CONFIG_VALUE_{number}"] = key, value
        return environment


def _names(ref: str) -> list[str]:
    """The full names a branch, tag or full ref may have, in order of precedence. Raises Refused."""
    if not ref or len(ref) > 255 or ref.startswith("-") or _BAD_REF.search(ref):
        raise Refused("git-ref", "that cannot be the name of a branch or tag")
    return [ref] if ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}"]


class _NoSuchRef(NotFound):
    """The repository is there, the ref is not."""


_NOT_THERE = re.compile(
    r"repository .* not found|error: 404|couldn't find remote ref|not our ref|no such remote ref|does not point to a valid object"
)
_NO_RIGHT = re.compile(r"error: 40[13]|Authentication failed|could not read (?:Username|Password)|access denied", re.I)


def _outcome(error: NautesError | None) -> str:
    """For the metrics: git has no status that tells more."""
    if error is None:
        return "ok"
    return "failed" if isinstance(error, Unavailable) else "refused"


def _error(repository: str, complaint: str) -> NautesError:
    """git's error as one of ours; its own text may hold addresses, so only known errors are passed on."""
    if re.search(r"redirect|error: 30\d", complaint):
        return Refused("git-redirect", f"{repository}: the server redirects elsewhere, which is not followed")
    if _NO_RIGHT.search(complaint):
        return Forbidden("git-forbidden", f"{repository}: the platform's account may not read it")
    if "couldn't find remote ref" in complaint:
        return _NoSuchRef("git-not-found", f"{repository}: no such ref")
    if _NOT_THERE.search(complaint):
        return NotFound("git-not-found", f"{repository}: no such repository, ref or commit")
    status = re.search(r"error: (\d{3})", complaint)
    return Unavailable("git-unavailable", f"{repository}: " + (f"HTTP {status[1]}" if status else "cannot be reached"))
