"""JSON bodies, read strictly. Used by the routes that take JSON and by the webhook receiver.

The depth is counted before the parser recurses: running into Python's recursion limit would hit whatever else runs then.
"""

from __future__ import annotations

import json
import re
from typing import Any

DEEPEST = 64  # levels
_MARKS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object of plain values. Raises ValueError."""
    text = body.decode()
    depth = 0
    for mark in _MARKS.finditer(text):
        depth += 1 if mark[0] in "[{" else -1 if mark[0] in "]}" else 0
        if depth > DEEPEST:
            raise ValueError("nested too deep")
    found = json.loads(text, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise ValueError("no object")
    json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
