"""Authentication: the administrator's token, and service account tokens as the real server signs them (RS256)."""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from nautes_sandbox.kubernetes.standin.kinds import ACCOUNTS, SECRETS
from nautes_sandbox.kubernetes.standin.requests import User
from nautes_sandbox.kubernetes.standin.store import Store, Stored

Claims = dict[str, Any]
LEGACY = "kubernetes/serviceaccount"  # issuer of tokens kept in Secrets: they do not expire
_PREFIX = "kubernetes.io/serviceaccount"
_KEPT = 1_000  # tokens whose signature was checked already


class TokenError(Exception):
    """A token is invalid; the message gives the reason."""


class Tokens:
    """Signs and checks. `issuer` is also the audience of tokens for the API itself."""

    def __init__(self, store: Store, directory: Path, issuer: str) -> None:
        self._store = store
        self.issuer = issuer
        key = load_pem_private_key((directory / "accounts.key").read_bytes(), None)
        assert isinstance(key, RSAPrivateKey)  # noqa: S101 - we made it
        self._key = key
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._id = _encoded(hashlib.sha256(public).digest())
        self._checked: dict[str, Claims] = {}
        with (directory / "tokens.csv").open() as file:
            self._static = {row[0]: User(row[1], row[2], _groups(row)) for row in csv.reader(file) if row}

    # Signing

    def bound(self, account: Stored, audiences: list[str], seconds: int) -> tuple[str, float]:
        """(token, when it expires) of an account."""
        now = int(time.time())
        place = {"name": account.name, "uid": account.uid}
        claims = {
            "aud": audiences or [self.issuer],
            "exp": now + seconds,
            "iat": now,
            "iss": self.issuer,
            "kubernetes.io": {"namespace": account.namespace, "serviceaccount": place},
            "nbf": now,
            "sub": f"system:serviceaccount:{account.namespace}:{account.name}",
        }
        return self._signed(claims), now + seconds

    def legacy(self, account: Stored, secret: str) -> str:
        """The token that is kept in a Secret."""
        return self._signed(
            {
                "iss": LEGACY,
                f"{_PREFIX}/namespace": account.namespace,
                f"{_PREFIX}/secret.name": secret,
                f"{_PREFIX}/service-account.name": account.name,
                f"{_PREFIX}/service-account.uid": account.uid,
                "sub": f"system:serviceaccount:{account.namespace}:{account.name}",
            }
        )

    def _signed(self, claims: Claims) -> str:
        parts = [
            json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256", "kid": self._id}, claims)
        ]
        text = ".".join(_encoded(part) for part in parts)
        return f"{text}.{_encoded(self._key.sign(text.encode(), PKCS1v15(), hashes.SHA256()))}"

    # Checking

    def authenticate(self, authorization: str) -> User | None:
        """The caller of this header; None: unknown."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return None
        try:
            return self.review(token.strip(), [self.issuer])[0]
        except TokenError:
            return None

    def review(self, token: str, audiences: list[str]) -> tuple[User, list[str]]:
        """(who a token stands for, for which of the audiences). Raises `TokenError`."""
        if token in self._static:
            return self._static[token], audiences
        claims = self._claims(token)
        meant = [self.issuer] if claims.get("iss") == LEGACY else claims.get("aud") or []
        common = [each for each in audiences or [self.issuer] if each in meant]
        if not common:
            raise TokenError(f"token audiences {meant} is invalid for the target audiences {audiences}")
        account = self._legacy_account(claims) if claims["iss"] == LEGACY else self._bound_account(claims)
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account.namespace}", "system:authenticated")
        return User(f"system:serviceaccount:{account.namespace}:{account.name}", account.uid, groups), common

    def _claims(self, token: str) -> Claims:
        found = self._checked.get(token)
        if found is None:
            found = self._verified(token)
            if len(self._checked) >= _KEPT:
                self._checked.clear()
            self._checked[token] = found
        now = time.time()
        if now >= found.get("exp", now + 1):
            raise TokenError("service account token has expired")
        if now < found.get("nbf", 0):
            raise TokenError("service account token is not valid yet")
        return found

    def _verified(self, token: str) -> Claims:
        try:
            head, claims, signature = token.split(".")
            self._key.public_key().verify(_decoded(signature), f"{head}.{claims}".encode(), PKCS1v15(), hashes.SHA256())
            header, found = json.loads(_decoded(head)), json.loads(_decoded(claims))
        except (ValueError, binascii.Error, InvalidSignature):
            raise TokenError("invalid bearer token") from None
        if header.get("alg") != "RS256" or found.get("iss") not in (self.issuer, LEGACY):
            raise TokenError("invalid bearer token")
        return dict(found)

    def _bound_account(self, claims: Claims) -> Stored:
        bound = claims["kubernetes.io"]
        return self._account(bound["namespace"], bound["serviceaccount"]["name"], bound["serviceaccount"]["uid"])

    def _legacy_account(self, claims: Claims) -> Stored:
        namespace = claims[f"{_PREFIX}/namespace"]
        if self._store.get(SECRETS, namespace, claims[f"{_PREFIX}/secret.name"]) is None:
            raise TokenError("service account token has been invalidated")
        name, uid = claims[f"{_PREFIX}/service-account.name"], claims[f"{_PREFIX}/service-account.uid"]
        return self._account(namespace, name, uid)

    def _account(self, namespace: str, name: str, uid: str) -> Stored:
        found = self._store.get(ACCOUNTS, namespace, name)
        if found is None:
            raise TokenError(f'serviceaccounts "{name}" not found')
        if found.uid != uid:
            raise TokenError("service account UID does not match claim")
        return found


def _groups(row: list[str]) -> tuple[str, ...]:
    named = row[3].split(",") if len(row) > 3 else []
    return (*(each.strip() for each in named), "system:authenticated")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
