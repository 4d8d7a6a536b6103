"""Preconditions of RFC 9110: `If-Match`, `If-None-Match` and what they mean for a resource with a version. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from api.problems import PreconditionFailed

ANY = "*"


@dataclass(frozen=True)
class Conditions:
    """Versions that a resource must have, and must not have; None without a condition."""

    match: tuple[str, ...] | None = None
    none_match: tuple[str, ...] | None = None

    @classmethod
    def of(cls, if_match: str | None, if_none_match: str | None) -> Conditions:
        """From the headers."""
        return cls(_tags(if_match), _tags(if_none_match))

    def __bool__(self) -> bool:
        return self.match is not None or self.none_match is not None

    def require(self, what: str, version: str | None) -> None:
        """Raise PreconditionFailed unless they hold for `version` (None: it is not there)."""
        if self.match is not None and (version is None or (ANY not in self.match and version not in self.match)):
            state = f"is at version {version}" if version else "is not there"
            raise PreconditionFailed("precondition-failed", f"{what} {state}, which If-Match does not name")
        if (
            self.none_match is not None
            and version is not None
            and (ANY in self.none_match or version in self.none_match)
        ):
            raise PreconditionFailed("precondition-failed", f"{what} is there, at version {version}")

    def expected(self, key: str, version: str | None) -> dict[str, str]:
        """The same for the product's workflow, which checks once more: the version it must find under `key`."""
        must_not_be = self.none_match is not None and ANY in self.none_match
        return {key: version or ""} if self.match is not None or must_not_be else {}

    def knows(self, version: str) -> bool:
        """Whether the caller has this version already."""
        return self.none_match is not None and (ANY in self.none_match or version in self.none_match)


def etag(version: str) -> dict[str, str]:
    """The header that names a version."""
    return {"ETag": f'"{version}"'}


def digest(content: bytes) -> str:
    """A version for an answer that has none: a digest of its content."""
    return hashlib.sha256(content).hexdigest()[:16]


def _tags(header: str | None) -> tuple[str, ...] | None:
    if header is None:
        return None
    return tuple(each.strip().removeprefix("W/").strip('"') for each in header.split(","))
