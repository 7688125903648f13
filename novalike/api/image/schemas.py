"""Bodies which come in, and the schema documents which clients may ask for."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.http.schema import Field, Object
from novalike.image.local.members import STATUSES
from novalike.image.local.rules import READ_ONLY, VISIBILITIES

_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_TEXT = {"type": ["null", "string"], "maxLength": 255}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2147483647}

#: What users set, and how it must look. Anything else is a property: a string.
FIELDS: dict[str, Any] = {
    "name": _TEXT, "visibility": {"type": "string", "enum": list(VISIBILITIES)}, "owner": _TEXT, "disk_format": _TEXT,
    "container_format": _TEXT, "min_disk": _COUNT, "min_ram": _COUNT, "protected": {"type": "boolean"},
    "os_hidden": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 255}, "maxItems": 1024},
}
CREATE = Object({"id": Field({"type": "string", "pattern": _UUID}), **{name: Field(s) for name, s in FIELDS.items()}}, extra=True)
#: The same for one field at a time, as patches set them.
ONE = Object({name: Field(s) for name, s in FIELDS.items()}, extra=True)
MEMBER = Object({"member": Field({"type": "string", "minLength": 1, "maxLength": 64}, required=True)}, extra=True)
MEMBER_STATUS = Object({"status": Field({"type": "string", "enum": list(STATUSES)}, required=True)}, extra=True)
IMPORT = Object({"method": Field({
    "type": "object", "required": ["name"], "properties": {"name": {"type": "string"}},
}, required=True)}, extra=True)


def routes(section: Any) -> list[Route]:
    """Answer the routes of the schema documents."""
    documents = _documents(section)

    def answer(name: str) -> Any:
        def show(_: Request) -> dict[str, Any]:
            return documents[name]
        return show
    return [Route(method="GET", path=f"/v2/schemas/{name}", handler=answer(name), rule="get_image") for name in documents]


def _documents(section: Any) -> dict[str, dict[str, Any]]:
    read_only = {name: {"type": ["null", "string"], "readOnly": True} for name in sorted(READ_ONLY)}
    for name in ("size", "virtual_size"):
        read_only[name] = {"type": ["null", "integer"], "readOnly": True}
    fields = {
        **FIELDS, "disk_format": {"type": ["null", "string"], "enum": [None, *section.disk_formats]},
        "container_format": {"type": ["null", "string"], "enum": [None, *section.container_formats]},
    }
    image = {
        "name": "image", "properties": {**read_only, **fields}, "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"}, {"rel": "enclosure", "href": "{file}"}, {"rel": "describedby", "href": "{schema}"},
        ],
    }
    member = {"name": "member", "properties": {
        name: {"type": "string"} for name in ("image_id", "member_id", "status", "created_at", "updated_at", "schema")
    }}
    return {"image": image, "images": _many("images", image), "member": member, "members": _many("members", member)}


def _many(name: str, one: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name, "properties": {
            name: {"type": "array", "items": one}, "first": {"type": "string"}, "next": {"type": "string"}, "schema": {"type": "string"},
        },
        "links": [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, {"rel": "describedby", "href": "{schema}"}],
    }
