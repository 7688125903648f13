"""Regular expressions from users: bounded, so that none can keep a process busy."""

from __future__ import annotations

import re
from re import _constants as codes  # type: ignore[attr-defined]  # the standard library's own parse tree: nothing else tells
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from novalike.exception import Invalid

LONGEST = 255
_REPEATS = frozenset({codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT})
#: Repeats side by side cost a power of the text's length each; names have at most 255 characters.
_MOST_REPEATS = 3


def check(name: str, pattern: str) -> str:
    """Answer a filter's pattern if it is short, well formed and cheap. Raises Invalid, naming the filter."""
    if len(pattern) > LONGEST:
        raise Invalid(f"Invalid input for query parameters {name}. It is longer than {LONGEST} characters.")
    try:
        re.compile(pattern)
        tree = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise Invalid(f"Invalid input for query parameters {name}. Value: {pattern}. It is not a regular expression: {error}") from error
    if not _is_cheap(tree):
        raise Invalid(f"Invalid input for query parameters {name}. Value: {pattern}. The expression is too expensive.")
    return pattern


def _is_cheap(tree: Any) -> bool:
    return _repeats(tree, inside=False) <= _MOST_REPEATS


def _repeats(tree: Any, *, inside: bool) -> int:
    """Count repeats; one within another (or a reference back) counts as too many."""
    count = 0
    for code, argument in tree:
        if code in _REPEATS:
            _low, high, body = argument
            if high <= 1 and not inside:         # a question mark alone repeats nothing
                count += _repeats(body, inside=False)
                continue
            count += 100 if inside else 1
            count += _repeats(body, inside=True)
        elif code in {codes.GROUPREF, codes.GROUPREF_EXISTS, codes.ASSERT, codes.ASSERT_NOT}:
            count += 100
        elif code is codes.BRANCH:
            count += (100 if inside else 0) + sum(_repeats(branch, inside=inside) for branch in argument[1])
        elif code is codes.SUBPATTERN:
            count += _repeats(argument[-1], inside=inside)
        elif code is codes.ATOMIC_GROUP:
            count += _repeats(argument, inside=inside)
    return count
