"""Bare repositories over smart HTTP with a password, by `git http-backend`: enough of a Git server to fetch from."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, PASSWORD = "nautes", "correct-horse"


class GitServer:
    """Serves the repositories in `directory`; `requests` are the paths asked for so far."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.requests: list[str] = []
        self.redirect = ""  # where every request is sent, if set
        self.status = 0  # what every request is answered with, if set
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator[GitServer]:
        """Serve until left."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One request: who is it, and what does git say."""
        self.requests.append(request.path)
        given = request.headers.get("Authorization", "")
        if self.redirect:
            request.send_response(302)
            request.send_header("Location", self.redirect + request.path)
            request.end_headers()
        elif self.status:
            request.send_error(self.status)
        elif given != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            request.send_response(401)
            request.send_header("WWW-Authenticate", "Basic")
            request.end_headers()
        else:
            self._backend(request)

    def _backend(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length) if length else _chunks(request)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        request.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)


def _chunks(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return b""
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


class Source:
    """A bare repository on the server, written to object by object."""

    def __init__(self, server: GitServer, repository: str) -> None:
        self.repository = repository
        self.path = server.directory / f"{repository}.git"
        self.path.mkdir(parents=True)
        self._git("init", "--bare", "--quiet", "--initial-branch=main")
        self._git("config", "uploadpack.allowFilter", "true")

    def commit(
        self, files: Mapping[str, bytes | str], *, branch: str = "main", modes: Mapping[str, str] | None = None
    ) -> str:
        """A commit that holds exactly `files`; `modes` are git's, "100644" if not given. Its hash."""
        index = {"GIT_INDEX_FILE": str(self.path / "test-index")}
        (self.path / "test-index").unlink(missing_ok=True)
        for path, content in files.items():
            mode = (modes or {}).get(path, "100644")
            data = content.encode() if isinstance(content, str) else content
            blob = content if mode == "160000" else self._git("hash-object", "-w", "--stdin", data=data)
            self._git("update-index", "--add", "--cacheinfo", f"{mode},{blob!s},{path}", env=index)
        tree = self._git("write-tree", env=index)
        return self.point(branch, tree)

    def pack(self) -> None:
        """Keep all objects in packs, as a server keeps what a large push brought: it answers a fetch from them."""
        self._git("repack", "-d", "-q")

    def point(self, branch: str, tree: str) -> str:
        """Commit a tree to a branch."""
        known = self._git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        parents = ["-p", known] if known else []
        commit = self._git("commit-tree", tree, *parents, "-m", "test")
        self._git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def tree(self, listing: bytes) -> str:
        """A tree of raw entries, which git's own commands would not make."""
        return self._git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=listing)

    def tag(self, name: str, commit: str) -> None:
        """An annotated tag."""
        self._git("tag", "-a", "-m", "test", name, commit)

    def _git(self, *arguments: str, data: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        who = {
            f"GIT_{role}_{part}": "test@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
        }
        environment = {**os.environ, **who, **(env or {})}
        done = subprocess.run(
            ["git", "--git-dir", str(self.path), *arguments],
            input=data,
            env=environment,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()
