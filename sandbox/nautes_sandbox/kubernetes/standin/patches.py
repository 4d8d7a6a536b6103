"""Patches other than apply: JSON merge patch (RFC 7386), JSON patch (RFC 6902), strategic merge patch. Used by writing.py.

Of strategic merge patches the directives `$patch: replace` and `$patch: delete` are known; others are refused.
"""

from __future__ import annotations

from typing import Any

from nautes_sandbox.kubernetes.standin.problems import ApiError, bad_request, not_implemented
from nautes_sandbox.kubernetes.standin.shapes import Shape

Object = dict[str, Any]


def merged(target: Any, patch: Any) -> Any:
    """JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def strategic(target: Any, patch: Any, shape: Shape) -> Any:
    """Strategic merge patch: as a merge patch, but lists that have a key are merged by it."""
    if isinstance(patch, dict):
        return _strategic_map(target, patch, shape)
    if isinstance(patch, list) and isinstance(target, list):
        if shape.is_set:
            return [*target, *(each for each in patch if each not in target)]
        if shape.keys and all(isinstance(each, dict) for each in patch):
            return _strategic_list(target, patch, shape)
    return patch


def _strategic_map(target: Any, patch: Object, shape: Shape) -> Any:
    directive = patch.get("$patch")
    if directive == "delete":
        return None
    found = dict(target) if isinstance(target, dict) and directive != "replace" else {}
    for name, value in patch.items():
        if name == "$patch" or name.startswith("$setElementOrder/"):
            continue
        if name.startswith("$"):
            raise not_implemented(f"the directive {name} of strategic merge patches")
        made = None if value is None else strategic(found.get(name), value, shape.field(name))
        if made is None:
            found.pop(name, None)
        else:
            found[name] = made
    return found


def _strategic_list(target: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    key = shape.keys[0]
    if any(each.get("$patch") == "replace" for each in patch):
        return [each for each in patch if each.get("$patch") != "replace"]
    found = {each.get(key): each for each in target}
    for each in patch:
        if key not in each:
            raise bad_request(f"map: {each} does not contain declared merge key: {key}")
        made = _strategic_map(found.get(each[key]), each, shape.item())
        if made is None:
            found.pop(each[key], None)
        else:
            found[each[key]] = made
    return list(found.values())


def operations(target: Any, patch: Any) -> Any:
    """JSON patch. Raises a 422 for a test that fails or a path that is not there."""
    if not isinstance(patch, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    for step in patch:
        try:
            target = _operation(target, step)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            message = (
                f"the server rejected our request due to an error in our request: {step.get('op')} {step.get('path')}"
            )
            raise ApiError(422, "Invalid", message, {}) from error
    return target


def _operation(target: Any, step: Object) -> Any:
    path = _parts(step["path"])
    match step["op"]:
        case "test":
            if _at(target, path) != step["value"]:
                raise ValueError(step["path"])
            return target
        case "remove":
            return _set(target, path, removing=True)
        case "add":
            return _set(target, path, step["value"], inserting=True)
        case "replace":
            _at(target, path)
            return _set(target, path, step["value"])
        case "copy":
            return _set(target, path, _at(target, _parts(step["from"])), inserting=True)
        case "move":
            source = _parts(step["from"])
            value = _at(target, source)
            return _set(_set(target, source, removing=True), path, value, inserting=True)
    raise ValueError(step["op"])


def _parts(path: str) -> list[str]:
    return [each.replace("~1", "/").replace("~0", "~") for each in path.split("/")[1:]]


def _at(target: Any, path: list[str]) -> Any:
    for part in path:
        target = target[int(part)] if isinstance(target, list) else target[part]
    return target


def _set(target: Any, path: list[str], value: Any = None, *, inserting: bool = False, removing: bool = False) -> Any:
    """`target` with one place changed; what holds the place is copied, not changed."""
    if not path:
        return value
    part, rest = path[0], path[1:]
    made: Any = list(target) if isinstance(target, list) else dict(target)
    key: Any = (len(made) if part == "-" else int(part)) if isinstance(made, list) else part
    if rest:
        made[key] = _set(made[key], rest, value, inserting=inserting, removing=removing)
    elif removing:
        del made[key]
    elif inserting and isinstance(made, list):
        made.insert(key, value)
    else:
        made[key] = value
    return made
