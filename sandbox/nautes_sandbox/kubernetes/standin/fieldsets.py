"""Sets of fields as in `managedFields`: the fields of an object, and those in which two objects differ.

A field is a path of elements: `f:name` of a map, `k:{...}` and `v:...` of a list. Used by managers.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nautes_sandbox.kubernetes.standin.problems import bad_request
from nautes_sandbox.kubernetes.standin.shapes import Shape, keyed

Path = tuple[str, ...]
Tree = dict[str, Any]
_SERVERS = frozenset(
    (
        *("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"),
        *("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generateName"),
    )
)
_STRUCTS = frozenset(f"f:{name}" for name in ("metadata", "spec", "status", "template", "strategy", "containers"))


def counts(path: Path) -> bool:
    """Whether somebody can own this field: what only the server writes has no owner."""
    if path[0] in ("f:apiVersion", "f:kind") or path == ("f:metadata",):
        return False
    return not (path[0] == "f:metadata" and path[1].removeprefix("f:") in _SERVERS)


def declared(item: Any, shape: Shape) -> set[Path]:
    """Fields that an applied object claims: its values, and the items of its lists."""
    found: set[Path] = set()
    _declared(item, shape, (), found)
    return {path for path in found if path and counts(path)}


def _declared(value: Any, shape: Shape, path: Path, found: set[Path]) -> None:
    if isinstance(value, dict) and value and not shape.atomic:
        for name, each in value.items():
            _declared(each, shape.field(name), (*path, f"f:{name}"), found)
        return
    items = keyed(value, shape) if isinstance(value, list) else None
    if items is None:
        found.add(path)
        return
    for key, each in items.items():
        missing = [name for name in shape.keys if name not in each and name != "protocol"] if shape.keys else []
        if missing:
            text = f'associative list with keys has an element that omits key field "{missing[0]}"'
            raise bad_request(f"failed to create typed patch object: {dotted(path)}: {text}")
        found.add((*path, key))
        if not shape.is_set:
            _declared(each, shape.item(), (*path, key), found)


@dataclass
class Changes:
    """Fields in which a new object differs from an old one."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)

    @property
    def written(self) -> set[Path]:
        """Fields that have a new value."""
        return self.added | self.modified


def compare(old: Any, new: Any, shape: Shape) -> Changes:
    """In which fields the two differ."""
    found = Changes()
    _compare(old, new, shape, (), found)
    for name in ("added", "modified", "removed"):
        setattr(found, name, {path for path in getattr(found, name) if path and counts(path)})
    return found


def _compare(old: Any, new: Any, shape: Shape, path: Path, found: Changes) -> None:
    if old is new or old == new:
        return
    before, after = _children(old, shape), _children(new, shape)
    if before is None or after is None:
        found.modified.add(path)
        return
    for key in before.keys() | after.keys():
        below = shape.item() if key[0] in "kv" else shape.field(key[2:])
        if key not in before:
            _all(after[key], below, (*path, key), found.added)
        elif key not in after:
            _all(before[key], below, (*path, key), found.removed)
        else:
            _compare(before[key], after[key], below, (*path, key), found)


def _children(value: Any, shape: Shape) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return None if shape.atomic else {f"f:{name}": each for name, each in value.items()}
    return keyed(value, shape) if isinstance(value, list) else None


def _all(value: Any, shape: Shape, path: Path, found: set[Path]) -> None:
    children = _children(value, shape)
    if not children or path[-1] not in _STRUCTS:
        found.add(path)
    for key, each in (children or {}).items():
        if key.startswith("v:"):
            found.add((*path, key))
        else:
            _all(each, shape.item() if key[0] == "k" else shape.field(key[2:]), (*path, key), found)


def to_tree(paths: Iterable[Path]) -> Tree:
    """`fieldsV1`."""
    root: Tree = {}
    members = sorted(paths)
    for path in members:
        _node(root, path)
    for path in members:
        if node := _node(root, path):
            node["."] = {}
    return root


def _node(root: Tree, path: Path) -> Tree:
    for part in path:
        root = root.setdefault(part, {})
    return root


def from_tree(tree: Tree, path: Path = ()) -> set[Path]:
    """The fields of a `fieldsV1`."""
    found: set[Path] = {path} if path and (not tree or "." in tree) else set()
    for key, below in tree.items():
        if key != ".":
            found |= from_tree(below, (*path, key))
    return found


def without(value: Any, shape: Shape, tree: Tree) -> Any:
    """`value` without the fields of a tree; a map or list that loses its last entry goes too (None)."""
    children = _children(value, shape)
    if children is None:
        return value
    left: dict[str, Any] = {}
    for key, each in children.items():
        below = tree.get(key)
        if below is None:
            left[key] = each
        elif below and "." not in below:
            kept = without(each, shape.item() if key[0] == "k" else shape.field(key[2:]), below)
            if kept is not None:
                left[key] = kept
    if children and not left:
        return None
    return {key[2:]: each for key, each in left.items()} if isinstance(value, dict) else list(left.values())


def dotted(path: Path) -> str:
    """A path as conflicts tell it: `.spec.containers[name="web"].image`."""
    text = ""
    for part in path:
        sort, _, rest = part.partition(":")
        if sort == "f":
            text += f".{rest}"
        elif sort == "k":
            text += (
                "[" + ",".join(each.replace('"', "", 2).replace(":", "=", 1) for each in rest[1:-1].split(",")) + "]"
            )
        else:
            text += f"[={rest}]"
    return text
