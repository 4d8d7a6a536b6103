"""What a request sends: query and body, of which GitLab takes either for either, and the values in them.

Used by the application for every request; the api_* modules and the faults read single values with it.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from nautes_sandbox.gitlab.problems import Problem


def number(text: str | None, default: int) -> int:
    """A whole number of a query, or the default."""
    return int(text) if text and text.isdigit() else default


def parameters(content_type: str, body: bytes, query: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Query and body parameters; GitLab takes either for either, the body wins."""
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    sent: dict[str, Any] = dict(pairs)
    if body and "json" in content_type:
        try:
            decoded = json.loads(body)
        except ValueError:
            raise Problem(400, {"error": "The request body is not valid JSON"}) from None
        sent |= decoded if isinstance(decoded, dict) else {}
    elif body and "form" in content_type:
        for key, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
            if key.endswith("[]"):
                sent.setdefault(key[:-2], []).append(value)
            else:
                sent[key] = value
    return pairs, sent


def truth(value: Any) -> bool:
    """A boolean parameter."""
    return value in (True, 1, "1", "true", "True", "yes")
