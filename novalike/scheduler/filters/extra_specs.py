"""Operators in the values of flavor extra specs, as Nova documents them for operators of clouds.

    =  ==  !=  >=  <=            numbers; `=` means "at least", for history's sake
    s== s!= s< s<= s> s>=        text
    <in> X                       X is part of the value
    <all-in> X Y ...             all of them are
    <or> X <or> Y ...            the value is one of them

Without operator the value must be equal, as text.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from typing import Any

_NUMBERS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.ge, "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le,
}
_TEXTS: dict[str, Callable[[Any, Any], bool]] = {
    "s==": operator.eq, "s!=": operator.ne, "s<": operator.lt, "s<=": operator.le, "s>": operator.gt, "s>=": operator.ge,
}


def match(value: Any, requirement: str) -> bool:
    """Answer whether a host's value satisfies a requirement. What is not a number satisfies no numeric one."""
    words = requirement.split()
    if not words:
        return _text(value) == requirement
    first, rest = words[0], words[1:]
    if first == "<or>":
        return _text(value) in {" ".join(choice.split()) for choice in requirement.split("<or>")[1:]}
    if first in ("<in>", "<all-in>"):
        wanted = rest if first == "<all-in>" else [" ".join(rest)]
        return bool(rest) and all(_contains(value, word) for word in wanted)
    if first in _TEXTS:
        return _TEXTS[first](_text(value), " ".join(rest))
    if first in _NUMBERS:
        try:
            return _NUMBERS[first](float(_text(value)), float(" ".join(rest)))
        except ValueError:
            return False
    return _text(value) == requirement


def _contains(value: Any, word: str) -> bool:
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return word in value
    return word in _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
