"""Resources that are answered and not stored: TokenReview, access reviews and TokenRequest. Called by server.py.

Every access is allowed: RBAC is not played.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nautes_sandbox.kubernetes.standin.discovery import REVIEWS
from nautes_sandbox.kubernetes.standin.kinds import ACCOUNTS
from nautes_sandbox.kubernetes.standin.problems import bad_request, invalid, not_found, not_implemented, wrong
from nautes_sandbox.kubernetes.standin.requests import Request, Target, User
from nautes_sandbox.kubernetes.standin.store import Store
from nautes_sandbox.kubernetes.standin.tokens import TokenError, Tokens

Object = dict[str, Any]
LEAST, USUAL = 600, 3600  # seconds a token lives
WHY = "sandbox stand-in: RBAC is not played"


def named(parts: list[str]) -> str | None:
    """The kind of review that a path asks for, None when it asks for something else."""
    for group, kind, plural, namespaced in REVIEWS:
        path = ["apis", group, "v1"]
        if parts == [*path, plural] or (namespaced and parts[:4] == [*path, "namespaces"] and parts[5:] == [plural]):
            return kind
    return None


def review(kind: str, request: Request, user: User, tokens: Tokens) -> Object:
    """The answer to a review."""
    item = request.document(kind)
    if item.get("kind", kind) != kind:
        raise bad_request(f"{item['kind']} cannot be handled as a {kind}")
    spec = item.get("spec") or {}
    if kind == "TokenReview":
        status = _token(spec, tokens)
    elif kind == "SelfSubjectReview":
        status = {"userInfo": _info(user)}
    else:
        if not spec.get("resourceAttributes") and not spec.get("nonResourceAttributes"):
            causes = [
                wrong("spec", "{}", "exactly one of nonResourceAttributes or resourceAttributes must be specified")
            ]
            raise invalid("authorization.k8s.io", kind, "", causes)
        status = {"allowed": True, "reason": WHY}
    version = "authentication.k8s.io/v1" if kind in ("TokenReview", "SelfSubjectReview") else "authorization.k8s.io/v1"
    return {"kind": kind, "apiVersion": version, "metadata": item.get("metadata") or {}, "spec": spec, "status": status}


def _token(spec: Object, tokens: Tokens) -> Object:
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    try:
        user, audiences = tokens.review(spec["token"], spec.get("audiences") or [tokens.issuer])
    except TokenError as error:
        return {"user": {}, "error": str(error)}
    return {"authenticated": True, "user": _info(user), "audiences": audiences}


def _info(user: User) -> Object:
    return {"username": user.name, "uid": user.uid, "groups": list(user.groups)}


def token(target: Target, request: Request, store: Store, tokens: Tokens) -> Object:
    """TokenRequest of an account."""
    account = store.get(ACCOUNTS, target.namespace, target.name)
    if account is None:
        raise not_found("", "serviceaccounts", target.name)
    item = request.document("TokenRequest")
    spec = item.get("spec") or {}
    if spec.get("boundObjectRef"):
        raise not_implemented("tokens bound to an object (boundObjectRef)")
    seconds = int(spec.get("expirationSeconds") or USUAL)
    if seconds < LEAST:
        causes = [wrong("spec.expirationSeconds", str(seconds), "may not specify a duration less than 10 minutes")]
        raise invalid("authentication.k8s.io", "TokenRequest", "", causes)
    audiences = list(spec.get("audiences") or [tokens.issuer])
    text, expires = tokens.bound(account, audiences, seconds)
    when = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": target.name, "namespace": target.namespace},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": None},
        "status": {"token": text, "expirationTimestamp": when},
    }
