"""What comes in: bodies of the identity API."""

from __future__ import annotations

from typing import Any

from novalike.api.http.schema import Field, Object, wrapped

NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"\S"}
PROJECT_NAME = {**NAME, "maxLength": 64}
TEXT: dict[str, Any] = {"type": ["string", "null"], "maxLength": 65535}
ID: dict[str, Any] = {"type": "string", "pattern": r"^[a-zA-Z0-9-]{1,64}$"}
OPTIONAL_ID: dict[str, Any] = {"type": ["string", "null"], "pattern": r"^[a-zA-Z0-9-]{1,64}$"}
REGION_ID: dict[str, Any] = {"type": ["string", "null"], "maxLength": 255}
FLAG: dict[str, Any] = {"type": "boolean"}
PASSWORD: dict[str, Any] = {"type": ["string", "null"], "maxLength": 65535}
TAGS: dict[str, Any] = {
    "type": "array", "maxItems": 80, "uniqueItems": True,
    "items": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^,/]*$"},
}
#: Keys of one's own, kept as they are.
EXTRA: dict[str, Any] = {}
INTERFACE: dict[str, Any] = {"type": "string", "enum": ["public", "internal", "admin"]}
URL: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 2048, "pattern": r"^[a-zA-Z0-9+.-]+:.+"}


def both(name: str, fields: dict[str, Any], *required: str, extra: Any = False) -> tuple[Object, Object]:
    """Answer the bodies which create and which change a thing: in the second nothing is required."""
    known = {**fields, "links": {}, "id": fields.get("id", {"type": ["string", "null"]})}
    create = Object({key: Field(schema, required=key in required) for key, schema in known.items()}, extra=extra)
    change = Object({key: Field(schema) for key, schema in known.items()}, extra=extra)
    return wrapped(name, create), wrapped(name, change)


DOMAIN = both("domain", {"name": PROJECT_NAME, "description": TEXT, "enabled": FLAG, "tags": TAGS, "options": {"type": "object"}}, "name")
PROJECT = both("project", {
    "name": PROJECT_NAME, "description": TEXT, "enabled": FLAG, "domain_id": OPTIONAL_ID, "parent_id": OPTIONAL_ID,
    "is_domain": FLAG, "tags": TAGS, "options": {"type": "object"},
}, "name", extra=EXTRA)
USER = both("user", {
    "name": NAME, "description": TEXT, "enabled": FLAG, "domain_id": OPTIONAL_ID, "default_project_id": OPTIONAL_ID,
    "email": {"type": ["string", "null"], "maxLength": 255}, "password": PASSWORD, "options": {"type": "object"},
}, "name", extra=EXTRA)
PROJECT_TAGS = Object({"tags": Field(TAGS, required=True)})
#: Keystone keeps keys of one's own with groups; here they are let pass and forgotten.
GROUP = both("group", {"name": NAME, "description": TEXT, "domain_id": OPTIONAL_ID}, "name", extra=EXTRA)
ROLE = both("role", {
    "name": NAME, "description": TEXT, "domain_id": {"type": ["string", "null"]}, "options": {"type": "object"},
}, "name")
SERVICE = both("service", {"name": {"type": ["string", "null"], "maxLength": 255}, "type": NAME, "description": TEXT, "enabled": FLAG}, "type")
ENDPOINT = both("endpoint", {
    "interface": INTERFACE, "url": URL, "service_id": ID, "region_id": REGION_ID, "region": REGION_ID, "enabled": FLAG,
    "name": {"type": ["string", "null"], "maxLength": 255}, "description": TEXT,
}, "interface", "url", "service_id")
REGION = both("region", {
    "id": {"type": ["string", "null"], "maxLength": 255}, "description": TEXT, "parent_region_id": REGION_ID,
})

PASSWORD_CHANGE = wrapped("user", Object({
    "original_password": Field({"type": "string", "maxLength": 65535}, required=True),
    "password": Field({"type": "string", "minLength": 1, "maxLength": 65535}, required=True),
}, extra=True))

APPLICATION_CREDENTIAL = wrapped("application_credential", Object({
    "name": Field(NAME, required=True), "description": Field(TEXT), "secret": Field({"type": ["string", "null"], "maxLength": 4096}),
    "expires_at": Field({"type": ["string", "null"], "maxLength": 64}), "unrestricted": Field({"type": ["boolean", "null"]}),
    "project_id": Field(OPTIONAL_ID),
    "roles": Field({"type": ["array", "null"], "maxItems": 64, "items": {"type": "object", "anyOf": [{"required": ["id"]}, {"required": ["name"]}]}}),
    "access_rules": Field({"type": ["array", "null"], "maxItems": 64, "items": {
        "type": "object", "required": ["path", "method", "service"], "additionalProperties": False, "properties": {
            "path": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^/"},
            "method": {"type": "string", "pattern": "^(POST|GET|HEAD|PATCH|PUT|DELETE)$"},
            "service": {"type": "string", "minLength": 1, "maxLength": 64},
        },
    }}),
}, extra=True))

EC2_CREDENTIAL = Object({"tenant_id": Field(ID, required=True)}, extra=True)

_DOMAIN_REFERENCE = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}
_USER_REFERENCE = {"id": {"type": "string"}, "name": {"type": "string"}, "domain": _DOMAIN_REFERENCE}
_TEXT_ONLY = {"type": "string", "maxLength": 65535}

AUTH = wrapped("auth", Object({
    "identity": Field({
        "type": "object", "required": ["methods"], "properties": {
            "methods": {"type": "array", "minItems": 1, "maxItems": 8, "items": {"type": "string"}},
            "password": {"type": "object", "required": ["user"], "properties": {"user": {
                "type": "object", "required": ["password"], "properties": {**_USER_REFERENCE, "password": _TEXT_ONLY},
            }}},
            "token": {"type": "object", "required": ["id"], "properties": {"id": _TEXT_ONLY}},
            "application_credential": {"type": "object", "required": ["secret"], "properties": {
                "id": {"type": "string"}, "name": {"type": "string"}, "secret": _TEXT_ONLY,
                "user": {"type": "object", "properties": _USER_REFERENCE},
            }},
        },
    }, required=True),
    "scope": Field({"anyOf": [
        {"type": "null"}, {"type": "string", "enum": ["unscoped"]},
        {"type": "object", "properties": {
            "project": {"type": "object", "properties": _USER_REFERENCE}, "domain": _DOMAIN_REFERENCE,
            "system": {"type": "object", "required": ["all"], "properties": {"all": {"enum": [True]}}},
        }},
    ]}),
}, extra=True))
