"""Why a body was refused, in Nova's words, which are those of jsonschema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jsonschema

#: Longer values and explanations are cut.
_LONGEST_VALUE, _LONGEST_EXPLANATION = 256, 1024


def of_refusal(schema: Any, formats: Mapping[str, Callable[[str], bool]], value: Any, *, query: bool) -> str | None:
    """Answer what is wrong with a value by a plain JSON Schema, naming the field; None when jsonschema finds nothing.

    `formats` are predicates on text. `query`: the value is a query string's, parsed.
    """
    checker = jsonschema.FormatChecker(formats=())
    for name, predicate in formats.items():
        checker.checkers[name] = (lambda found, p=predicate: not isinstance(found, str) or p(found), ())
    errors = jsonschema.Draft7Validator(schema, format_checker=checker).iter_errors(value)
    error = next(iter(sorted(errors, key=lambda e: len(e.path))), None)
    if error is None:
        return None
    if not error.path:
        return _cut(str(error.message), _LONGEST_EXPLANATION)
    what = "query parameters" if query else "field/attribute"
    shown = error.instance if not query or not isinstance(error.instance, list) else ",".join(map(str, error.instance))
    names = [part for part in error.path if isinstance(part, str)]
    name = names[-1] if names else error.path[-1]
    return f"Invalid input for {what} {name}. Value: {_cut(str(shown), _LONGEST_VALUE)}. {_cut(str(error.message), _LONGEST_EXPLANATION)}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."
