"""Reads the query string of an image list: filters, sorting, page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from novalike.api.http.application import Request
from novalike.db.images import SORT_KEYS, Wanted
from novalike.exception import Invalid
from novalike.image.local.rules import READ_ONLY, SETTABLE, VISIBILITIES

#: Filters which take several values by `in:a,"b, c"`.
_TEXTS = ("id", "name", "status", "disk_format", "container_format")
_PLAIN = ("owner", "checksum", "os_hash_algo", "os_hash_value")
_NUMBERS = ("min_disk", "min_ram", "size", "virtual_size")
_PAGING = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "visibility", "member_status", "tag"})
_LIST = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",]*))\s*(?:,|$)')


def wanted(request: Request, section: Any) -> Wanted:
    """Answer what a list asks for. Raises Invalid, naming the parameter."""
    given = request.GET
    visibility = given.get("visibility")
    if visibility is not None and visibility not in {*VISIBILITIES, "all"}:
        raise Invalid(f"Invalid visibility value: {visibility[:64]}.")
    member_status = given.get("member_status", "accepted")
    if member_status not in {"pending", "accepted", "rejected", "all"}:
        raise Invalid(f"Invalid status: {member_status[:64]}.")
    limit = _integer("limit", given["limit"]) if "limit" in given else section.limit_param_default
    equal, between, properties = _filters(given)
    return Wanted(
        visibility=visibility, member_status=member_status, equal=equal, between=between, tags=given.getall("tag"),
        properties=properties, sort=_sort(given), marker=given.get("marker"), limit=min(limit, section.api_limit_max),
    )


def _filters(given: Any) -> tuple[dict[str, list[Any]], list[tuple[str, str, Any]], dict[str, str]]:
    equal: dict[str, list[Any]] = {"os_hidden": [0]}
    between: list[tuple[str, str, Any]] = []
    properties: dict[str, str] = {}
    for name in dict.fromkeys(given):
        value = given[name]
        if name in _PAGING:
            continue
        if name in _TEXTS:
            equal[name] = _several(value)
        elif name in _PLAIN:
            equal[name] = [value]
        elif name in _NUMBERS:
            equal[name] = [_integer(name, value)]
        elif name in {"protected", "os_hidden"}:
            equal[name] = [int(_flag(name, value))]
        elif name in {"size_min", "size_max"}:
            between.append(("size", "gte" if name == "size_min" else "lte", _integer(name, value)))
        elif name in {"created_at", "updated_at"}:
            between.append(_moment(name, value))
        elif name not in READ_ONLY | SETTABLE:
            properties[name] = value
    return equal, between, properties


def _several(value: str) -> list[str]:
    if not value.startswith("in:"):
        return [value]
    found, at, text = [], 0, value[3:]
    while at < len(text):
        match = _LIST.match(text, at)
        if match is None or match.end() == at:
            raise Invalid(f"Invalid filter value {value[:64]!r}. The quote is not closed.")
        quoted, plain = match.group(1), match.group(2)
        found.append(quoted.replace('\\"', '"') if quoted is not None else plain.strip())
        at = match.end()
    return found


def _integer(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", value):
        raise Invalid(f"Invalid value for {name}: {value[:64]!r} must be a number of 0 or more.")
    return int(value)


def _flag(name: str, value: str) -> bool:
    lowered = value.lower()
    if lowered not in {"true", "false", "1", "0"}:
        raise Invalid(f"Invalid value for {name}: {value[:64]!r} is neither true nor false.")
    return lowered in {"true", "1"}


def _moment(name: str, value: str) -> tuple[str, str, datetime]:
    operator, colon, text = value.partition(":")
    if not colon or operator not in {"gt", "gte", "lt", "lte", "eq", "neq"}:
        operator, text = "eq", value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"Invalid value for {name}: {value[:64]!r} is not a time.") from error
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return name, operator, moment


def _sort(given: Any) -> list[tuple[str, bool]]:
    if "sort" in given:
        if "sort_key" in given or "sort_dir" in given:
            raise Invalid("Old and new sorting syntax cannot be combined.")
        pairs = [part.strip().partition(":")[::2] for part in given["sort"].split(",")]
    else:
        keys = given.getall("sort_key") or ["created_at"]
        ways = given.getall("sort_dir") or ["desc"]
        if len(ways) not in {1, len(keys)}:
            raise Invalid("Number of sort dirs does not match the number of sort keys.")
        pairs = list(zip(keys, ways * len(keys) if len(ways) == 1 else ways, strict=True))
    found: list[tuple[str, bool]] = []
    for key, way in pairs:
        if key not in SORT_KEYS:
            raise Invalid(f"Invalid sort key: {key[:64]}. It must be one of the following: {', '.join(SORT_KEYS)}.")
        if way not in {"", "asc", "desc"}:
            raise Invalid(f"Invalid sort direction: {way[:64]}.")
        found.append((key, way == "asc"))
    return found
