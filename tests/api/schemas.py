"""The Compute API's requests as text, so that a change of the interface shows in review.

    python -m tests.api.schemas

writes schemas/<first word of the path>.txt, and words.txt with what <words> in them stand for. An operation's lines stand under the first microversion which has it; under a later
one stand those which go (-) and come (+) there. A line is a field's place, `!` if it is required, and what its value may be.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from novalike.api.http.application import Route
from novalike.api.http.versions import within
from novalike.api.openstack import app, microversions, not_built
from novalike.api.openstack.microversions import text
from novalike.api.openstack.schemas import names
from novalike.db.engine import Database
from tests.fakes import services as fakes

FOLDER = Path(__file__).parent / "schemas"
#: Keywords which stand in their own form, or in the structure of the lines.
_SHOWN = ("type", "properties", "additionalProperties", "required", "items", "patternProperties", "oneOf", "enum", "pattern", "format")
_RANGES = (("minLength", "maxLength", "long"), ("minItems", "maxItems", "items"), ("minProperties", "maxProperties", "keys"), ("minimum", "maximum", ""))


def _set(values: list[Any]) -> str:
    return "{" + ", ".join(map(repr, values)) + "}"


#: Long values which stand in many lines -> the word which stands for them there.
WORDS = {
    f"~{names.NAME['pattern']}~": "printable", f"~{names.DESCRIPTION['pattern']}~": "printable lines",
    _set(names.BOOLEAN["enum"]): "truth", _set([value for value in names.BOOLEAN["enum"] if isinstance(value, str)]): "truth as text",
}


def render(routes: tuple[Route, ...]) -> dict[str, str]:
    """Answer the text of each file by its name."""
    by_file: dict[str, list[str]] = {}
    # An operation whose routes follow one another in time (another status from 2.2 on, say) is one operation.
    built = [route for route in routes if route.rule != not_built.RULE and not route.path.startswith("/os-volumes_boot")]
    for (path, method, action), several in itertools.groupby(sorted(built, key=_place), key=lambda r: (r.path, r.method, r.action or "")):
        lines = by_file.setdefault(path.split("/")[1], [])
        lines += [" ".join(filter(None, (method, path, action))), *_history(list(several)), ""]
    by_file["words"] = [f"<{word}> {meaning}" for meaning, word in WORDS.items()] + [""]
    return {name: "\n".join(lines) for name, lines in by_file.items()}


def _place(route: Route) -> tuple[Any, ...]:
    return route.path, route.method, route.action or "", [int(part) for part in (route.since or "2.1").split(".")]


def _history(routes: list[Route]) -> Iterator[str]:
    """Answer the lines of an operation, at each version which changes them."""
    before: list[str] | None = None
    for minor in range(1, microversions.MAXIMUM[1] + 1):
        version = (2, minor)
        route = next((one for one in routes if within(version, one.since, one.until)), None)
        now = list(_operation(route, version)) if route else ["gone"]
        if now == before or (before is None and route is None):
            continue
        yield f"  {text(version)}"
        if before is None:
            yield from (f"    {line}" for line in now)
        else:
            yield from (f"  - {line}" for line in before if line not in now)
            yield from (f"  + {line}" for line in now if line not in before)
        before = now


def _operation(route: Route, version: tuple[int, int]) -> Iterator[str]:
    yield f"{route.rule} -> {route.status}"
    if route.body is not None:
        yield from _lines("body", route.body.at(version), required=not route.relaxed)
    for name, plain in route.query.at(version)["properties"].items():
        once = " (once)" if plain.get("maxItems") == 1 else ""
        yield from _lines(f"?{name}", plain["items"], suffix=once)
    yield f"?*: {'refused' if route.query.refuses(version) else 'ignored'}"


def _lines(place: str, plain: Any, *, required: bool = False, suffix: str = "") -> Iterator[str]:
    """Answer a line of a schema, and those of what is inside."""
    if not isinstance(plain, dict):
        yield f"{place}: {'anything' if plain else 'nothing'}{suffix}"
        return
    yield f"{place}{'!' if required else ''}: {_value(plain)}{suffix}"
    for name, inner in plain.get("properties", {}).items():
        yield from _lines(f"{place}.{name}", inner, required=name in plain.get("required", ()))
    for pattern, inner in plain.get("patternProperties", {}).items():
        yield from _lines(f"{place}.~{pattern}~", inner)
    if isinstance(plain.get("additionalProperties"), dict):
        yield from _lines(f"{place}.*", plain["additionalProperties"])
    if "items" in plain:
        yield from _lines(f"{place}[]", plain["items"])
    for number, choice in enumerate(plain.get("oneOf", ())):
        yield from _lines(f"{place}|{number + 1}", choice)


def _value(plain: dict[str, Any]) -> str:
    """Answer in one line what a schema lets pass."""
    kinds = plain.get("type", [])
    words = ["/".join(kinds if isinstance(kinds, list) else [kinds])] if kinds else ["one of" if "oneOf" in plain else "anything"]
    shown = set(_SHOWN)
    for low, high, noun in _RANGES:
        if low in plain or high in plain:
            words.append(f"{plain.get(low, '')}..{plain.get(high, '')}{f' {noun}' if noun else ''}")
            shown |= {low, high}
    if "format" in plain:
        words.append(f"as {plain['format']}")
    if "pattern" in plain:
        words.append(_named(f"~{plain['pattern']}~"))
    if "enum" in plain:
        words.append(_named(_set(plain["enum"])))
    words += [f"{name} {plain[name]}" for name in sorted(plain) if name not in shown]
    if "object" in kinds and plain.get("additionalProperties") is not False:
        words.append("and others")
    return " ".join(words)


def _named(meaning: str) -> str:
    return f"<{WORDS[meaning]}>" if meaning in WORDS else meaning


def current() -> dict[str, str]:
    """Answer the files as they would be written now."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/novalike.db")
        try:
            return render(app.routes(fakes.services(database)))
        finally:
            database.dispose()


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for name, content in current().items():
        (FOLDER / f"{name}.txt").write_text(content)


if __name__ == "__main__":
    main()
