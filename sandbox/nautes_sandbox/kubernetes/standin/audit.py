"""The audit log: who called for what and how it ended, one JSON line per request in the real server's format."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

from nautes_sandbox.kubernetes.standin.requests import Request, split

VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Audit:
    """Appends to a file; line by line, so that a killed server loses nothing that was answered."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def note(self, request: Request, status: int) -> None:
        """One request, before it is answered."""
        parts = split(request.path)
        rest = parts[2:] if parts[:1] == ["api"] else parts[3:]
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            rest = rest[2:]
        verb = VERBS.get(request.method, request.method.lower())
        if verb == "get" and len(rest) == 1:
            verb = "watch" if request.flag("watch") else "list"
        line = {
            "verb": verb,
            "requestURI": request.path + (f"?{urlencode(request.query)}" if request.query else ""),
            "userAgent": request.headers.get("user-agent", ""),
            "objectRef": {"resource": rest[0] if rest else ""},
            "responseStatus": {"code": status},
        }
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
