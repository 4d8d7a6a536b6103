"""Makes examples of a payload from its type: every field is filled, and every value of a closed set occurs in one of them."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from temporalio.contrib.pydantic import pydantic_data_converter

FUTURE = {"of": ["a newer release"]}
CONVERTER = pydantic_data_converter.payload_converter_class()


def examples(annotation: Any) -> list[Any]:
    """Values of the type, as many as the largest closed set in it has members."""
    return [read(annotation, _value(annotation, "", number, ())) for number in range(_width(annotation, ()))]


def read(annotation: Any, sample: Any) -> Any:
    """What a workflow or activity of today gets from this JSON."""
    return CONVERTER.from_payloads(CONVERTER.to_payloads([sample]), [annotation])[0]


def written(value: Any) -> Any:
    """The JSON that is sent for this value."""
    [payload] = CONVERTER.to_payloads([value])
    return json.loads(payload.data) if payload.data else None


def lost(sample: Any, now: Any, path: str = "") -> Iterator[str]:
    """Where `now` does not say what `sample` says; it may say more."""
    if isinstance(sample, dict) and isinstance(now, dict):
        for key, each in sample.items():
            yield from lost(each, now[key], f"{path}/{key}") if key in now else [f"{path}/{key}"]
    elif isinstance(sample, list) and isinstance(now, list) and len(sample) == len(now):
        for number, (before, after) in enumerate(zip(sample, now, strict=True)):
            yield from lost(before, after, f"{path}/{number}")
    elif sample != now or isinstance(sample, bool) != isinstance(now, bool):
        yield path


def from_the_future(annotation: Any, sample: Any) -> Any:
    """The JSON as a newer release may write it: every object has a field that is not known yet."""
    kind, inner = get_origin(annotation), get_args(annotation)
    if _is_model(annotation) and isinstance(sample, dict):
        fields = _fields(annotation)
        known = {key: from_the_future(fields.get(key, Any), each) for key, each in sample.items()}
        return {**known, "fromTheFuture": FUTURE}
    if kind is list and isinstance(sample, list):
        return [from_the_future(inner[0], each) for each in sample]
    if kind is dict and isinstance(sample, dict):
        return {key: from_the_future(inner[1], each) for key, each in sample.items()}
    if kind in (Union, types.UnionType):
        models = [each for each in inner if each is not type(None)]
        return from_the_future(models[0], sample) if len(models) == 1 else sample
    return sample


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {name: each for name, each in get_type_hints(model).items() if name in model.model_fields}


def _value(annotation: Any, name: str, number: int, above: tuple[Any, ...]) -> Any:
    """`above` are the models that it is in: one that holds itself ends there."""
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind is Literal:
        return inner[number % len(inner)]
    if kind in (Union, types.UnionType):
        return _value(_chosen([each for each in inner if each not in above], number), name, number, above)
    if _is_model(annotation):
        within = (*above, annotation)
        return {key: _value(each, key, number, within) for key, each in _fields(annotation).items()}
    if kind in (list, tuple, set):
        return [] if inner[0] in above else [_value(inner[0], name, number, above)]
    if kind is dict:
        return {} if inner[1] in above else {f"a {name} key": _value(inner[1], name, number, above)}
    return _plain(annotation, name)


def _chosen(options: list[Any], number: int) -> Any:
    """None comes last."""
    ordered = [each for each in options if each is not type(None)] + [each for each in options if each is type(None)]
    return ordered[number % len(ordered)]


def _plain(annotation: Any, name: str) -> Any:
    found = {str: f"a {name}", int: 7, float: 1.5, bool: True, type(None): None, datetime: "2026-11-28T10:00:00Z"}
    if annotation is Any or annotation is object:
        return {"anything": [1, "two", None]}
    if annotation in found:
        return found[annotation]
    raise TypeError(f"no example of {annotation} for {name}: say one in tests/samples/examples.py")


def _width(annotation: Any, above: tuple[Any, ...]) -> int:
    """How many members the largest closed set in it has."""
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind is Literal:
        return len(inner)
    if _is_model(annotation):
        if annotation in above:
            return 1
        return max([_width(each, (*above, annotation)) for each in _fields(annotation).values()] or [1])
    here = len(inner) if kind in (Union, types.UnionType) else 1
    return max([here, *(_width(each, above) for each in inner if not isinstance(each, str))])
