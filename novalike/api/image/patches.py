"""Reads application/openstack-images-v2.1-json-patch: a list of add, replace and remove on top-level names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from novalike.api.http import schema
from novalike.api.http.application import Request, UnsupportedMedia
from novalike.api.image import schemas
from novalike.api.image.dialect import VERSION
from novalike.exception import Conflict, Forbidden, Invalid, TooLarge
from novalike.image.local import rules
from novalike.objects.image import Image

CONTENT_TYPES = ("application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch")
_LARGEST = 1 << 20


def read(request: Request) -> list[tuple[str, str, Any]]:
    """Answer a patch as (operation, name, value). Raises Invalid."""
    kind = request.content_type or ""
    if kind not in CONTENT_TYPES:
        raise UnsupportedMedia(f"Unsupported Content-Type {kind[:100]}; it must be {CONTENT_TYPES[0]}.")
    raw = request.environ["wsgi.input"].read(min(request.content_length or 0, _LARGEST + 1))
    if len(raw) > _LARGEST:
        raise TooLarge("Request is too large.")
    try:
        operations = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid("Malformed request body: it is not JSON.") from error
    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
        raise Invalid("Request body must be a JSON array of operation objects.")
    old = kind == CONTENT_TYPES[1]
    return [_old(operation) if old else _new(operation) for operation in operations]


def _new(operation: dict[str, Any]) -> tuple[str, str, Any]:
    verb = operation.get("op")
    if verb not in ("add", "replace", "remove"):  # not a set: a list has no hash
        raise Invalid(f"Operations must be add, replace or remove, not {str(verb)[:64]!r}.")
    return verb, _name(operation.get("path")), _value(verb, operation)


def _old(operation: dict[str, Any]) -> tuple[str, str, Any]:
    verbs = [verb for verb in ("add", "replace", "remove") if verb in operation]
    if len(verbs) != 1:
        raise Invalid('Operation objects must contain only one member named "add", "remove", or "replace".')
    return verbs[0], _name(operation[verbs[0]]), _value(verbs[0], operation)


def _value(verb: str, operation: dict[str, Any]) -> Any:
    if verb != "remove" and "value" not in operation:
        raise Invalid(f'Operation "{verb}" requires a member named "value".')
    return operation.get("value")


def _name(pointer: Any) -> str:
    if not isinstance(pointer, str) or not pointer.startswith("/") or len(pointer) < 2:
        raise Invalid(f"Invalid JSON pointer for this resource: {str(pointer)[:64]!r}.")
    if "/" in pointer[1:]:
        raise Invalid(f"Invalid JSON pointer for this resource: {pointer[:64]!r}: only whole attributes can be changed.")
    return pointer[1:].replace("~1", "/").replace("~0", "~")


def apply(image: Image, operations: list[tuple[str, str, Any]]) -> Image:
    """Answer the image with a patch applied. Raises Invalid, Forbidden, Conflict, naming the attribute."""
    for verb, name, value in operations:
        if name in rules.SETTABLE:
            image = _set(image, verb, name, value)
            continue
        rules.check_property(name, "" if verb == "remove" else value)
        if verb != "add" and name not in image.properties:
            raise Conflict(f"Property {name[:255]} does not exist.")
        kept = {key: old for key, old in image.properties.items() if key != name}
        image = replace(image, properties=kept if verb == "remove" else {**kept, name: value})
    return image


def _set(image: Image, verb: str, name: str, value: Any) -> Image:
    if verb == "remove":
        raise Forbidden(f"Property {name} may not be removed.")
    schema.check(schemas.ONE, VERSION, {name: value})
    changed: dict[str, Any] = {name: tuple(dict.fromkeys(value)) if name == "tags" else value}
    return replace(image, **changed)
