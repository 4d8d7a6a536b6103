"""Access tokens: issued, kept hashed, and their scopes.

Used by the API and by git for authentication, and by the api_* modules that issue tokens.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from nautes_sandbox.gitlab.problems import Problem, forbidden
from nautes_sandbox.gitlab.store import Row, Store, digest, listed, now


def issue(
    store: Store, user_id: int, name: str, scopes: list[str], expires_at: str | None = None, **more: Any
) -> tuple[Row, str]:
    """A new token: its row, and the token itself, which is shown once and kept hashed."""
    text = f"glpat-{secrets.token_urlsafe(15)}"
    return keep(store, text, user_id, name, scopes, expires_at, **more), text


def keep(
    store: Store, text: str, user_id: int, name: str, scopes: list[str], expires_at: str | None = None, **more: Any
) -> Row:
    """Keep a token that is given. Raises sqlite3.IntegrityError when it is known already."""
    year = (datetime.now(UTC) + timedelta(days=365)).strftime("%Y-%m-%d")
    row_id = store.insert(
        "tokens",
        user_id=user_id,
        name=name,
        digest=digest(text),
        scopes=json.dumps(scopes),
        expires_at=expires_at or year,
        created_at=now(),
        **more,
    )
    return store.get("tokens", row_id)


def authenticate(store: Store, text: str, *, api: bool) -> tuple[Row, Row] | None:
    """(user, token row) behind a token; None when it is unknown. Raises GitLab's refusal when it has expired or was revoked."""
    row = store.one("select * from tokens where digest = ?", digest(text))
    if row is None:
        return None
    if row["revoked"] or row["expires_at"] <= datetime.now(UTC).strftime("%Y-%m-%d"):
        if not api:
            return None
        why = (
            "Token was revoked. You have to re-authorize from the user."
            if row["revoked"]
            else "Token is expired. You can either do re-authorization or token refresh."
        )
        raise Problem(401, {"error": "invalid_token", "error_description": why}, {"WWW-Authenticate": "Bearer"})
    user = store.get("users", row["user_id"])
    if user["state"] == "blocked":
        if api:
            raise forbidden("Your account has been blocked.")
        return None
    return user, row


def require_scope(token: Row, method: str, path: str) -> None:
    """Scopes: api everything, read_api every GET, read_user the caller's own record."""
    scopes = set(listed(token["scopes"]))
    reads = method in ("GET", "HEAD")
    if "api" in scopes or (reads and "read_api" in scopes) or path == "/personal_access_tokens/self":
        return
    if reads and "read_user" in scopes and path.startswith("/user"):
        return
    text = "The request requires higher privileges than provided by the access token."
    scope = "api read_api" if reads else "api"
    raise Problem(403, {"error": "insufficient_scope", "error_description": text, "scope": scope})
