"""Files of a commit, read from its tree objects. Called by nautes/clients/git.py.

Everything a repository's owner can put into a tree to reach outside of it is refused here: links, submodules, odd names,
and more data than anybody needs to describe a deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pygit2
from pygit2.enums import FileMode

from nautes.messages.errors import NotFound, Refused


@dataclass(frozen=True)
class Limits:
    """Bytes, counts and seconds. Files above `fetched` are not even transferred; `cache` bounds the directory."""

    file: int = 1 << 20
    files: int = 2_000
    total: int = 16 << 20
    depth: int = 32
    name: int = 255
    fetched: str = "2m"
    cache: int = 8 << 30
    seconds: float = 60.0  # of one git command


@dataclass(frozen=True)
class File:
    """A file of a tree; `path` is relative to the repository's root."""

    path: str
    content: bytes = field(repr=False)


class TreeReader:
    """Reads one repository within limits."""

    def __init__(self, repository: pygit2.Repository, limits: Limits) -> None:
        self._repository = repository
        self._limits = limits
        self._files = self._bytes = 0

    def files(self, commit: str, path: str) -> list[File]:
        """All files below `path`. Raises NotFound (no such directory), and Refused naming the path."""
        tree = self._repository[commit].peel(pygit2.Tree)
        parts = _parts(path)
        for depth, part in enumerate(parts, start=1):
            try:
                entry = tree[part]
            except KeyError:
                raise NotFound("git-path", f"no directory {path}") from None
            self._check_mode(entry, "/".join(parts[:depth]))
            if isinstance(entry, pygit2.Tree):
                tree = entry
            elif depth < len(parts):
                raise NotFound("git-path", f"no directory {path}")
            else:
                return [self._read(entry, "/".join(parts))]
        return list(self._walk(tree, "/".join(parts), len(parts)))

    def _walk(self, tree: pygit2.Tree, prefix: str, depth: int) -> Iterator[File]:
        if depth > self._limits.depth:
            raise Refused("git-depth", f"{prefix}: directories nested deeper than {self._limits.depth}")
        for entry in tree:
            path = f"{prefix}/{self._name(entry, prefix)}" if prefix else self._name(entry, prefix)
            self._check_mode(entry, path)
            if isinstance(entry, pygit2.Tree):
                yield from self._walk(entry, path, depth + 1)
            else:
                yield self._read(entry, path)

    def _name(self, entry: pygit2.Object, prefix: str) -> str:
        raw = entry.raw_name or b""
        name = raw.decode("utf-8", "replace")
        shown = f"{prefix}/{name[:100]}" if prefix else name[:100]
        if len(raw) > self._limits.name:
            raise Refused("git-name", f"{shown}...: a name longer than {self._limits.name} bytes")
        if not _harmless(raw):
            raise Refused("git-name", f"{shown!r}: a name that is not allowed in a tree")
        return name

    def _check_mode(self, entry: pygit2.Object, path: str) -> None:
        if entry.filemode == FileMode.LINK:
            raise Refused("git-symlink", f"{path} is a symbolic link: put the file itself there")
        if entry.filemode == FileMode.COMMIT:
            raise Refused("git-submodule", f"{path} is a submodule: put the files themselves there")
        if entry.filemode not in (FileMode.TREE, FileMode.BLOB, FileMode.BLOB_EXECUTABLE, 0o100664):
            raise Refused("git-mode", f"{path} is neither a file nor a directory")

    def _read(self, entry: pygit2.Object, path: str) -> File:
        self._files += 1
        if self._files > self._limits.files:
            raise Refused("git-files", f"{path}: more than {self._limits.files} files")
        try:
            blob = self._repository[entry.id]
        except KeyError:  # the filter of the fetch left it out
            raise Refused("git-file-size", f"{path} is larger than {self._limits.file} bytes") from None
        if not isinstance(blob, pygit2.Blob) or blob.size > self._limits.file:
            raise Refused("git-file-size", f"{path} is larger than {self._limits.file} bytes")
        self._bytes += blob.size
        if self._bytes > self._limits.total:
            raise Refused("git-total-size", f"{path}: more than {self._limits.total} bytes in all")
        return File(path, blob.data)


def _harmless(name: bytes) -> bool:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return False
    if not text or text in (".", "..") or text.lower() == ".git" or "/" in text or "\\" in text:
        return False
    return all(each.isprintable() for each in text)


def _parts(path: str) -> list[str]:
    """A declared path as its parts; "", "." and "./x" are accepted. Raises Refused for a path out of the repository."""
    parts = [each for each in path.removesuffix("/").split("/") if each != "."]
    if parts == [""]:
        return []
    if path.startswith("/") or not all(_harmless(each.encode(errors="replace")) for each in parts):
        raise Refused("git-path", f"{path[:200]!r} is not a relative path inside the repository")
    return parts
