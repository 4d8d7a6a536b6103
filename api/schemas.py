"""Bodies and replies of every kind, made from the resource models so that they never drift: same fields, in snake_case.

A body has neither name nor product (they stand in the address), is strict in its types and takes null for "not given". A
reply has every field always. `body_of`, `resource_of_body` and `reply` are what routes use; OpenAPI sees the same models.
"""

from __future__ import annotations

import difflib
import types
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic.alias_generators import to_snake
from pydantic.fields import FieldInfo

from nautes.messages.errors import Refused
from nautes.resources import base
from nautes.resources.base import Resource
from nautes.resources.documents import FINDINGS, pointer_of
from nautes.resources.findings import Finding
from nautes.resources.product import CodeRepo, CodeRepoBinding

IN_ADDRESS = ("name", "product", "product_name")  # keys of a body's resource that its address gives
STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
EXACT = ConfigDict(extra="forbid")
PATTERNS: dict[Any, dict[str, Any]] = {
    base.Label: {"pattern": base.LABEL},
    base.OptionalLabel: {"pattern": f"^$|{base.LABEL}"},
    base.RepositoryName: {"pattern": base.PATH_PART},
    base.Subdomain: {"pattern": base.SUBDOMAIN, "maxLength": 253},
}
SPELLED = {("AdditionalGit", "code_repo"): "coderepo"}  # as the original API has it, unlike everywhere else
_KNOWN = {get_args(each)[1].func: schema for each, schema in PATTERNS.items()}
URLS = {"ssh_url_to_repo": (str, ""), "http_url_to_repo": (str, "")}  # of a repository, as GitLab has them


def key_of(model: type[BaseModel], name: str) -> str:
    """How a field of a resource is written in the API."""
    return SPELLED.get((model.__name__, name)) or to_snake(model.model_fields[name].alias or name)


@cache
def body_of(model: type[BaseModel]) -> type[BaseModel]:
    """The body from which a resource (or a structure inside one) is read."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if issubclass(model, Resource) and name in IN_ADDRESS:
            continue
        inner = _with_metadata(_in_body(field.annotation), field)
        key = Field(..., alias=key_of(model, name)) if field.is_required() else Field(None, alias=key_of(model, name))
        fields[name] = (inner if field.is_required() else inner | None, key)
    if model is CodeRepoBinding and "consumer" not in fields:  # older clients send the product once more
        fields["product"] = (str | None, None)
    return create_model(f"{model.__name__}Body", __config__=STRICT, __doc__=model.__doc__, **fields)


@cache
def reply_of(model: type[BaseModel], urls: bool = False) -> type[BaseModel]:
    """The reply that shows a resource (or a structure inside one); `urls`: with the addresses of a repository."""
    urls = urls or model is CodeRepo
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if not _is_secret(field.annotation):
            fields[key_of(model, name)] = (_in_reply(field.annotation, urls), ...)
    if issubclass(model, Resource) and "product" in model.model_fields and not _in_product(model):
        fields.pop("product")
    if model is CodeRepoBinding:
        fields["product"] = (str, ...)
    if urls and model.__name__ == "GitLabSettings":
        fields |= URLS
    name = f"{model.__name__}OfRepository" if urls and model is not CodeRepo else model.__name__
    return create_model(name, __config__=EXACT, __doc__=model.__doc__, **fields)


def resource_of_body(model: type[Resource], name: str, product: str, body: dict[str, Any]) -> Resource:
    """A resource from a body of the API. Raises Refused with every finding."""
    try:
        given = body_of(model).model_validate(body).model_dump(exclude_none=True)
    except ValidationError as error:
        raise _refusal(error, model, name) from None
    data = {**given, "name": name}
    if model is CodeRepoBinding:
        data["productName"] = product
    elif _in_product(model):
        data["product"] = product
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _refusal(error, model, name) from None


def name_schema(model: type[Resource]) -> dict[str, Any]:
    """The constraints of a kind's names that OpenAPI can express."""
    found = model.model_fields["name"].metadata
    known = (_KNOWN.get(each.func) for each in found if isinstance(each, AfterValidator))
    return next((each for each in known if each), {})


def reply(resource: Resource) -> dict[str, Any]:
    """A resource as the API shows it: every field, in snake_case, never a secret."""
    shown: dict[str, Any] = _shown(resource)
    if not _in_product(type(resource)):
        shown.pop("product", None)
    if isinstance(resource, CodeRepoBinding):
        shown["product"] = shown.get("product") or resource.product
    return shown


def _in_product(model: type[BaseModel]) -> bool:
    field = model.model_fields.get("product")
    return bool(field and field.is_required())


def _shown(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {key: _shown(getattr(value, name)) for name, key in _keys(type(value))}
    if isinstance(value, dict):
        return {key: _shown(each) for key, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list) else value


@cache
def _keys(model: type[BaseModel]) -> list[tuple[str, str]]:
    """(field, key) of all that a reply shows."""
    shown = [name for name, field in model.model_fields.items() if not _is_secret(field.annotation)]
    return [(name, key_of(model, name)) for name in shown]


def _in_body(annotation: Any) -> Any:
    """An annotation of a resource as it is in a body: structures become bodies, patterns are shown in OpenAPI."""
    if annotation is SecretStr:
        return Annotated[str, Field(json_schema_extra={"format": "password", "writeOnly": True})]
    return _rebuilt(annotation, _in_body, body_of)


def _in_reply(annotation: Any, urls: bool) -> Any:
    return _rebuilt(annotation, lambda inner: _in_reply(inner, urls), lambda model: reply_of(model, urls), plain=True)


def _rebuilt(annotation: Any, again: Any, structure: Any, plain: bool = False) -> Any:
    """The same annotation with every structure inside it replaced. `plain`: without constraints."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return structure(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = again(arguments[0])
        return inner if plain else _constrained(inner, arguments[1:])
    if origin in (Union, types.UnionType):
        return Union[tuple(again(each) for each in arguments)]  # noqa: UP007 - made at run time
    if origin in (list, dict):
        return origin[tuple(again(each) for each in arguments)]
    return annotation if origin is not Literal or not plain else str


def _with_metadata(annotation: Any, field: FieldInfo) -> Any:
    return _constrained(annotation, tuple(field.metadata))


def _constrained(annotation: Any, metadata: tuple[Any, ...]) -> Any:
    """With the constraints that OpenAPI can express; the resource itself checks the others, with better messages."""
    for each in metadata:
        known = _KNOWN.get(each.func) if isinstance(each, AfterValidator) else None
        if known:
            annotation = Annotated[annotation, WithJsonSchema({"type": "string", **known})]
        elif isinstance(each, FieldInfo):
            annotation = _constrained(annotation, tuple(each.metadata))
        elif type(each).__module__.startswith("annotated_types"):
            annotation = Annotated[annotation, each]
    return annotation


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(each) for each in get_args(annotation))


def _refusal(error: ValidationError, model: type[Resource], name: str) -> Refused:
    resource = f"{model.kind}/{name[:255]}"
    known = [field.alias or name for name, field in body_of(model).model_fields.items()]
    findings = [_finding(each, resource, known) for each in error.errors(include_url=False)[:FINDINGS]]
    return Refused("manifest-invalid", findings[0].message, findings=findings)


def _finding(error: Any, resource: str, known: list[str]) -> Finding:
    location = [to_snake(each) if isinstance(each, str) else str(each) for each in error["loc"]]
    field = ".".join(location)[:255] or "the body"
    rule = {"extra_forbidden": "schema-unknown-field", "missing": "schema-missing-field"}.get(error["type"])
    message = f"{field}: {str(error['msg']).removeprefix('Value error, ')}"
    hint = ""
    if error["type"] == "extra_forbidden" and len(location) == 1:
        close = difflib.get_close_matches(location[0][:255], known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return Finding(
        rule=rule or "schema-value", message=message, pointer=pointer_of(*location), hint=hint, resource=resource
    )
