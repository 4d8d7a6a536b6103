"""Resource quantities ("500m", "1Gi", 2) as numbers, to compare a manifest with what the server stored.

Called by nautes/convergence/difference.py. Grammar: the Kubernetes API's `resource.Quantity`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_SUFFIXES = {
    "": Decimal(1),
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{suffix: Decimal(1000) ** -power for power, suffix in enumerate(("m", "u", "n"), start=1)},
}
_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30}))([KMGTPE]i|[kMGTPEmun]|[eE][+-]?[0-9]{1,3})?$"
)

_PARENTS = frozenset(("limits", "requests", "hard", "capacity", "allocatable", "used", "default", "defaultRequest")) | {
    *("max", "min", "maxLimitRequestRatio", "podFixed")
}
_FIELDS = frozenset(("sizeLimit", "divisor", "storage", "averageValue", "value", "memory", "cpu"))


def value(text: Any) -> Decimal | None:
    """The number, or None when `text` is no quantity."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    match = _QUANTITY.match(str(text))
    if not match:
        return None
    number, suffix = match.group(1), match.group(2) or ""
    if suffix[:1] in ("e", "E") and suffix not in _SUFFIXES:
        return Decimal(number + suffix)
    return Decimal(number) * _SUFFIXES[suffix]


def is_field(parent: str, name: str) -> bool:
    """Whether a field of a built-in kind holds a quantity, by its own name and that of the map it is in."""
    return parent in _PARENTS or (name in _FIELDS and parent not in ("env", "data", "labels", "annotations"))
