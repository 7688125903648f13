"""Regular expressions from users: bounded, so that none can keep a process busy."""

from __future__ import annotations

import re
from re import _constants as codes  # type: ignore[attr-defined]  # the standard library's own parse tree: nothing else tells
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from novalike.exception import Invalid

LONGEST = 255
_REPEATS = frozenset({codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT})
#: Characters of the longest text which is searched: a name.
_TEXT = 255
#: In how many ways an expression may be tried on one text, at most: 3 repeats one after the other, or 16 question marks
#: behind a start anywhere. The worst of them takes some tenths of a second; what all texts of a list take together, the list bounds.
_MOST_WAYS = 2**24
_TOO_MANY = 2**64


def check(name: str, pattern: str) -> str:
    """Answer a filter's pattern if it is short, well formed and cheap. Raises Invalid, naming the filter."""
    if len(pattern) > LONGEST:
        raise Invalid(f"Invalid input for query parameters {name}. It is longer than {LONGEST} characters.")
    try:
        re.compile(pattern)
        tree = list(parser.parse(pattern))
    except (re.error, RecursionError, OverflowError) as error:
        raise Invalid(f"Invalid input for query parameters {name}. Value: {pattern}. It is not a regular expression: {error}") from error
    if _ways(_tried(tree)) * _starts(tree) > _MOST_WAYS:
        raise Invalid(f"Invalid input for query parameters {name}. Value: {pattern}. The expression is too expensive.")
    return pattern


def _tried(tree: list[Any]) -> list[Any]:
    """Answer the part which can fail: what ends in `.*` has matched before that."""
    rest = tree[:-1] if tree and tree[-1] == (codes.AT, codes.AT_END) else tree
    if rest and rest[-1][0] is codes.MAX_REPEAT:
        low, high, body = rest[-1][1]
        if (low, high) == (0, codes.MAXREPEAT) and list(body) == [(codes.ANY, None)]:
            return rest[:-1]
    return tree


def _starts(tree: list[Any]) -> int:
    """Answer at how many places of a text a match may begin."""
    if tree and tree[0][0] is codes.AT and tree[0][1] in {codes.AT_BEGINNING, codes.AT_BEGINNING_STRING}:
        return 1
    return _TEXT


def _ways(tree: Any) -> int:
    """Count in how many ways an expression may be tried from one place; a choice within a repeat counts as too many."""
    ways = 1
    for code, argument in tree:
        if code in _REPEATS:
            low, high, body = argument
            inside = _ways(body)
            if high > 1 and inside > 1:
                return _TOO_MANY
            ways *= inside * (min(int(high), _TEXT) - min(int(low), _TEXT) + 1)
        elif code in {codes.GROUPREF, codes.GROUPREF_EXISTS, codes.ASSERT, codes.ASSERT_NOT}:
            return _TOO_MANY
        elif code is codes.BRANCH:
            ways *= sum(_ways(branch) for branch in argument[1])
        elif code is codes.SUBPATTERN:
            ways *= _ways(argument[-1])
        elif code is codes.ATOMIC_GROUP:
            ways *= _ways(argument)
        if ways > _MOST_WAYS:
            return _TOO_MANY
    return ways
