"""Plain values of YAML as Kubernetes' tools read them, and YAML written so that they and we read the same data back.

The rules are those of sigs.k8s.io/yaml, which kubectl reads with: YAML 1.1 booleans and octals, but neither dates nor
base-60 numbers. Used by nautes/resources/documents.py to read and by everything that writes YAML.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

BREAKS = frozenset("\x85\u2028\u2029")
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
    **{f"{sign}{text}": float(sign + "inf") for sign in ("", "+", "-") for text in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_FIRST = frozenset("0123456789+-.")  # of a number
_STARTS = _FIRST | {each[:1] for each in _CONSTANTS}
_INTEGER = re.compile(r"[-+]?(?:0[bB][01]+|0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BASES = {"b": 2, "o": 8, "x": 16}
_DIGITS = 400  # more than any number of 64 bits is written with
_WHOLE = 1e21  # up to this number Kubernetes' tools write a float without fraction as an integer


def scalar(text: str) -> Any:
    """The value of a text without quotes and tag: itself, or None, a boolean or a number (which may be infinite)."""
    if text[:1] not in _STARTS:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _FIRST or len(text) > _DIGITS:
        return text
    digits = _digits(text)
    if _INTEGER.fullmatch(digits):
        number = _integer(digits)
        if -(1 << 63) <= number < 1 << 64:
            return number
    if _FLOAT.fullmatch(digits) and math.isfinite(value := float(digits)):
        return int(value) if value.is_integer() and abs(value) < _WHOLE else value
    return text


def is_number(text: str) -> bool:
    """Whether a text is written as a number, however large."""
    if text[:1] not in _FIRST:
        return False
    digits = _digits(text)
    return bool(_INTEGER.fullmatch(digits) or _FLOAT.fullmatch(digits))


def text_of(data: Any, *, sort: bool = True, ascii: bool = False) -> str:
    """YAML that reads back as the same data; sorted, equal data are equal texts."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=sort, allow_unicode=not ascii)


class _Dumper(yaml.SafeDumper):
    """PyYAML reads `0E0` and `y` as texts and writes them bare; bare YAML 1.1 line breaks it reads as spaces."""

    def represent_text(self, text: str) -> yaml.Node:
        """A text, quoted where it must be."""
        style = '"' if BREAKS & set(text) else None if isinstance(scalar(text), str) else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def represent_number(self, number: float) -> yaml.Node:
        """A float; one that is whole as the integer that it is read back as."""
        whole = number.is_integer() and abs(number) < _WHOLE
        return self.represent_int(int(number)) if whole else self.represent_float(number)


_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(float, _Dumper.represent_number)


def _digits(text: str) -> str:
    return text if text.startswith(".") else text.replace("_", "")


def _integer(digits: str) -> int:
    sign = -1 if digits[0] == "-" else 1
    digits = digits.lstrip("+-").lower()
    if digits[1:2] in _BASES:
        return sign * int(digits[2:], _BASES[digits[1]])
    return sign * int(digits, 8 if digits[0] == "0" else 10)
