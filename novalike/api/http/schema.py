"""Request bodies as tables: a field knows its versions, and one table gives every version's JSON Schema.

    CREATE = Object({
        "name":        Field(NAME, required=True),
        "description": Field(NULLABLE_TEXT, since="2.19"),
        "networks":   (Field(NETWORKS, until="2.36"), Field(NETWORKS_OR_AUTO, since="2.37", required=True)),
    })
    CREATE.at((2, 40))       # plain JSON Schema
    check(CREATE, (2, 40), body)
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import fastjsonschema

from novalike.api.http.versions import Version, within
from novalike.exception import Invalid


@dataclass(frozen=True)
class Field:
    """One property of an object: its schema (plain JSON Schema, in which an `Object` may stand), and when it exists."""

    schema: Any
    required: bool = False
    since: str | None = None
    until: str | None = None


class Object:
    """An object schema whose properties depend on the version.

    `extra` says what unlisted keys do: False refuses them, True lets anything pass, a schema checks them; a tuple of
    Fields makes that depend on the version. `rules` are further JSON Schema keywords (anyOf, minProperties ...).
    """

    def __init__(
        self, properties: Mapping[str, Field | tuple[Field, ...]], *, extra: Any = False,
        patterns: Mapping[str, Any] | None = None, nullable: bool = False, rules: Mapping[str, Any] | None = None,
    ) -> None:
        self.properties = dict(properties)
        self._extra = extra
        self._patterns = dict(patterns or {})
        self._nullable = nullable
        self._rules = dict(rules or {})
        self._made: dict[Version, dict[str, Any]] = {}

    def explain(self, value: Any) -> str | None:
        """Answer why the schema refuses a value, in the words of an API whose words are not jsonschema's; None for the usual words."""
        return None

    def at(self, version: Version) -> dict[str, Any]:
        """Answer plain JSON Schema for a version. The same object each time; do not change it."""
        if version not in self._made:
            self._made[version] = self._make(version)
        return self._made[version]

    def _make(self, version: Version) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        required: list[str] = []
        for name, fields in self.properties.items():
            for field in fields if isinstance(fields, tuple) else (fields,):
                if within(version, field.since, field.until):
                    properties[name] = _plain(field.schema, version)
                    if field.required:
                        required.append(name)
        extra = self._extra
        if isinstance(extra, tuple):
            extra = next((f.schema for f in extra if within(version, f.since, f.until)), False)
        schema: dict[str, Any] = {
            "type": ["object", "null"] if self._nullable else "object",
            "properties": properties,
            "additionalProperties": _plain(extra, version),
            **_plain(self._rules, version),
        }
        if required:
            schema["required"] = required
        if self._patterns:
            schema["patternProperties"] = _plain(self._patterns, version)
        return schema


def _plain(schema: Any, version: Version) -> Any:
    if isinstance(schema, Object):
        return schema.at(version)
    if isinstance(schema, dict):
        return {key: _plain(value, version) for key, value in schema.items()}
    if isinstance(schema, (list, tuple)):
        return [_plain(value, version) for value in schema]
    return schema


def wrapped(name: str, inner: Any, **outer: Field | tuple[Field, ...]) -> Object:
    """Answer the usual envelope: an object whose only required key `name` holds `inner`."""
    return Object({name: Field(inner, required=True), **outer})


# Formats: each a predicate on text, used by both validators.
FORMATS: dict[str, Callable[[str], bool]] = {}


def _format(name: str) -> Callable[[Callable[[str], bool]], Callable[[str], bool]]:
    def register(function: Callable[[str], bool]) -> Callable[[str], bool]:
        FORMATS[name] = function
        return function
    return register


@_format("uuid")
def is_uuid(text: str) -> bool:
    """Tell whether it is a UUID in any form Python reads, as Nova accepts them."""
    try:
        return str(uuid.UUID(text)).replace("-", "") == text.lower().replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")
    except (ValueError, AttributeError, TypeError):
        return False


@_format("ipv4")
def is_ipv4(text: str) -> bool:
    """Tell whether it is an IPv4 address."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


@_format("ipv6")
def is_ipv6(text: str) -> bool:
    """Tell whether it is an IPv6 address."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


@_format("ip")
def is_ip(text: str) -> bool:
    """Tell whether it is an address of either family."""
    return is_ipv4(text) or is_ipv6(text)


@_format("cidr")
def is_cidr(text: str) -> bool:
    """Tell whether it is a network in prefix notation (host bits allowed)."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


@_format("base64")
def is_base64(text: str) -> bool:
    """Tell whether it is base64, line breaks allowed."""
    try:
        base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


@lru_cache(maxsize=4096)
def _compiled(schema: Object, version: Version) -> Callable[[Any], Any]:
    return fastjsonschema.compile(schema.at(version), formats=FORMATS, use_default=False)


def check(schema: Object, version: Version, value: Any, *, query: bool = False) -> None:
    """Check a body (or query) against the version's schema. Raises Invalid, in Nova's words, naming the field.

    The fast validator decides; only for a refused value the slow one is asked for the wording.
    """
    try:
        _compiled(schema, version)(value)
    except fastjsonschema.JsonSchemaValueException as refused:
        explained = schema.explain(value)
        if explained is not None:
            raise Invalid(explained) from refused
        from novalike.api.http import wording  # jsonschema: 50 ms of each start, for what may never be asked

        raise Invalid(wording.of_refusal(schema.at(version), FORMATS, value, query=query) or str(refused)) from refused


def known_only(plain: Any, value: Any) -> Any:
    """Answer a body without the keys which its plain JSON Schema would refuse as unknown."""
    if not isinstance(plain, dict):
        return value
    if isinstance(value, list):
        return [known_only(plain.get("items"), inner) for inner in value]
    if not isinstance(value, dict) or "object" not in plain.get("type", ()):
        return value
    properties, patterns = plain.get("properties", {}), plain.get("patternProperties", {})
    kept = {}
    for key, inner in value.items():
        found = properties.get(key) or next((schema for pattern, schema in patterns.items() if re.search(pattern, key)), None)
        if found is not None or key in properties or plain.get("additionalProperties") is not False:
            kept[key] = known_only(found, inner)
    return kept
