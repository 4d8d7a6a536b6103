"""Query parameters and headers that several routes take, each described once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Query
from pydantic import BeforeValidator, Field, WithJsonSchema

from api.conditions import Conditions

FLAGS = {"true": True, "1": True, "false": False, "0": False}
MOST = 500  # of a page
PAGE = 100


def _flag(value: Any) -> Any:
    return FLAGS.get(value.lower(), value) if isinstance(value, str) else value


def _number(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 10):
        raise ValueError("must be a whole number")
    return value


Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Wait = Annotated[float, Query(ge=0, le=120, description="Seconds to wait for the end.")]
Count = Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(_number)]
Size = Annotated[int, Field(ge=1, le=MOST), BeforeValidator(_number)]
FewAtOnce = Annotated[int, Field(ge=1, le=PAGE), BeforeValidator(_number)]
IfMatch = Annotated[str | None, Header(description='ETag it must have now, or `*`: "it must be there".')]
IfNoneMatch = Annotated[str | None, Header(description='`*`: "it must not be there"; of a GET: ETag that is known.')]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="A repeated request with the same key has no further effect.",
    ),
]


@dataclass(frozen=True)
class Options:
    """Options of a change."""

    wait: float = 30
    dry_run: bool = False
    skip_check: bool = False
    confirmed: int | None = None
    plans: tuple[str, ...] = ()


def options(
    wait: Wait = 30,
    dry_run: Annotated[Flag, Query(description="Show what would be done, do nothing.")] = False,
    insecure_skip_check: Annotated[Flag, Query(description="Skip the rules; needs Maintainer, is recorded.")] = False,
    other_spelling: Annotated[Flag, Query(alias="insecureSkipCheck", include_in_schema=False)] = False,
    confirm_deletions: Annotated[Count | None, Query(description="Number of deletions, as confirmation.")] = None,
    plan: Annotated[
        list[str], Query(description="Ids of plans that were shown: refused if the plan would be another one now.")
    ] = [],  # noqa: B006
    key: Key = None,
) -> Options:
    """Options of a change, from the query."""
    return Options(wait, dry_run, insecure_skip_check or other_spelling, confirm_deletions, tuple(plan))


def conditions(if_match: IfMatch = None, if_none_match: IfNoneMatch = None) -> Conditions:
    """Preconditions, from the headers."""
    return Conditions.of(if_match, if_none_match)


def known(if_none_match: IfNoneMatch = None) -> Conditions:
    """The version the caller has already, from the headers."""
    return Conditions.of(None, if_none_match)


@dataclass(frozen=True)
class Selection:
    """The requested part of a list."""

    selector: str = ""
    limit: int | None = None
    cursor: str = ""


def selection(
    field_selector: Annotated[
        str, Query(description="`key=value`, a comma between several that must all hold.", max_length=4096)
    ] = "",
    limit: Annotated[Size | None, Query(description="Items of a page; without it and a cursor: all.")] = None,
    cursor: Annotated[str, Query(description="`next` of the previous page.", max_length=2048)] = "",
) -> Selection:
    """A part of a list, from the query."""
    return Selection(field_selector, limit, cursor)


Given = Annotated[Options, Depends(options)]
If = Annotated[Conditions, Depends(conditions)]
Known = Annotated[Conditions, Depends(known)]
Selected = Annotated[Selection, Depends(selection)]
