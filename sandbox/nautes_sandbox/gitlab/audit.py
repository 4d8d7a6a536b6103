"""Who asked for what and how it ended: one JSON line per API request, so that tests can read what was done in GitLab.

Of an answer only names and ids are kept, of a commit the paths it touched: never a token, a key or a file's content.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nautes_sandbox.gitlab.http import Request

KEPT = ("id", "path_with_namespace", "full_path", "title", "name", "username")


class Audit:
    """Appends to a file, line by line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def note(self, request: Request, status: int, answer: Any) -> None:
        """One request, after it was carried out or refused."""
        line: dict[str, Any] = {
            "method": request.method,
            "path": request.path,
            "user": request.user["username"] if request.user else "",
            "status": status,
        }
        if isinstance(answer, dict):
            line["answer"] = {name: answer[name] for name in KEPT if name in answer}
        actions = request.body.get("actions")
        if isinstance(actions, list):
            line["files"] = [f"{each.get('action')} {each.get('file_path')}" for each in actions]
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
