"""Our errors as JSON, so that what an endpoint raises is what its caller catches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from novalike.exception import NovalikeError

UNEXPECTED = "An unexpected error happened; the log of the service which was asked tells more under the same request id."


def dump(error: Exception) -> dict[str, Any]:
    """Answer an error as JSON: its class with its families, its text, and its plain attributes (`retry`, `overs` ...).

    Anything that is not ours becomes a NovalikeError whose text fits users; its class and text go to `details`. No
    traceback travels: it is in the log of where it happened.
    """
    if not isinstance(error, NovalikeError):
        return {
            "families": [NovalikeError.__name__], "message": UNEXPECTED,
            "attributes": {"details": f"{type(error).__name__}: {error}"},
        }
    return {
        "families": [family.__name__ for family in type(error).__mro__ if issubclass(family, NovalikeError)],
        "message": str(error),
        "attributes": {name: value for name, value in vars(error).items() if _is_plain(value)},
    }


def load(document: dict[str, Any]) -> NovalikeError:
    """Answer the error which `dump` described, as the most specific family which this code knows."""
    known = {family.__name__: family for family in _families(NovalikeError)}
    family = next((known[name] for name in document.get("families", ()) if name in known), NovalikeError)
    message = document.get("message", "")
    try:
        error = family(message)
    except TypeError:                            # a constructor of its own; its attributes follow
        error = family.__new__(family, message)
    for name, value in document.get("attributes", {}).items():
        setattr(error, name, tuple(value) if isinstance(value, list) else value)
    return error


def _families(family: type[NovalikeError]) -> Iterator[type[NovalikeError]]:
    yield family
    for narrower in family.__subclasses__():
        yield from _families(narrower)


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (str, int, float, bool))
