"""Errors of the API: metav1.Status with the reasons, codes and messages of the real server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Object = dict[str, Any]


class Cause(NamedTuple):
    """What is wrong with one field."""

    reason: str
    field: str
    message: str


class ApiError(Exception):
    """Ends a request with an error; `body` is the answer."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            **({"details": details} if details is not None else {}),
            "code": code,
        }


def qualified(group: str, name: str) -> str:
    """ "deployments.apps", "configmaps"."""
    return f"{name}.{group}" if group else name


def _details(group: str, kind: str, name: str, causes: Sequence[Cause] = ()) -> Object:
    found: Object = {"name": name, "group": group, "kind": kind}
    if causes:
        found["causes"] = [each._asdict() for each in causes]
    return {key: value for key, value in found.items() if value}


def not_found(group: str, plural: str, name: str) -> ApiError:
    """There is no object of this name."""
    return ApiError(404, "NotFound", f'{qualified(group, plural)} "{name}" not found', _details(group, plural, name))


def no_such_resource() -> ApiError:
    """The group version has no resource of this name."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(group: str, plural: str, name: str) -> ApiError:
    """There is an object of this name."""
    message = f'{qualified(group, plural)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str = "") -> ApiError:
    """Somebody else wrote in between, or a precondition does not hold."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(group, plural, name))


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """The object breaks rules of its kind."""
    lines = [f"{each.field}: {each.message}" for each in causes]
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    message = f'{qualified(group, kind)} "{name}" is invalid: {text}'
    return ApiError(422, "Invalid", message, _details(group, kind, name, causes))


def option(kind: str, cause: Cause) -> ApiError:
    """A query parameter cannot be what it is."""
    return invalid("meta.k8s.io", kind, "", [cause])


def forbidden(group: str, plural: str, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    """An admission rule refuses it."""
    message = f'{qualified(group, plural)} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, _details(group, plural, name, causes))


def bad_request(message: str) -> ApiError:
    """The request makes no sense."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """The caller is unknown."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    """The resource does not have this verb."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def unsupported_media() -> ApiError:
    """The body is written in something we do not read."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def expired(message: str) -> ApiError:
    """A version so old that its history is gone."""
    return ApiError(410, "Expired", message)


def not_implemented(what: str) -> ApiError:
    """The real server can do this and the stand-in cannot."""
    return ApiError(501, "NotImplemented", f"not implemented by the sandbox stand-in: {what}")


def required(field: str, why: str = "") -> Cause:
    """A field is missing."""
    return Cause("FieldValueRequired", field, f"Required value: {why}" if why else "Required value")


def wrong(field: str, value: str, why: str) -> Cause:
    """A field has a value it must not have."""
    return Cause("FieldValueInvalid", field, f"Invalid value: {value}: {why}")
