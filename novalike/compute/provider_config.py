"""What operators declare of a host in files: custom resources and traits, in the form of Nova's provider configuration.

    meta: {schema_version: '1.0'}
    providers:
      - identification: {uuid: $COMPUTE_NODE}            # or a uuid, or name: NODE
        inventories:
          additional:
            - CUSTOM_FPGA: {total: 4, reserved: 1, allocation_ratio: 1.0, min_unit: 1, max_unit: 2, step_size: 1}
        traits:
          additional: [CUSTOM_GOLD]

Only names with CUSTOM_ may be declared. A file that is wrong stops the daemon: to run without what was declared would be to
refuse servers for a reason which nobody sees. A provider which is not this host is left to the host which it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastjsonschema
import yaml

from novalike.exception import Invalid
from novalike.objects.host import CustomResource

ANY_NODE = "$COMPUTE_NODE"
_NAME = r"^CUSTOM_[A-Z0-9_]{1,248}$"
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2147483647}
_UNIT = {**_COUNT, "minimum": 1}
_INVENTORY = {
    "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False,
    "patternProperties": {_NAME: {
        "type": "object", "additionalProperties": False, "required": ["total"],
        "properties": {
            "total": _UNIT, "reserved": _COUNT, "min_unit": _UNIT, "max_unit": _UNIT, "step_size": _UNIT,
            "allocation_ratio": {"type": "number", "exclusiveMinimum": 0},
        },
    }},
}
_ADDITIONAL = {"type": "object", "required": ["additional"], "additionalProperties": False}
_CHECK = fastjsonschema.compile({
    "type": "object", "required": ["meta", "providers"], "additionalProperties": False, "patternProperties": {"^__": {}},
    "properties": {
        "meta": {"type": "object", "required": ["schema_version"], "properties": {"schema_version": {"type": "string", "pattern": r"^1\.[0-9]+$"}}},
        "providers": {"type": "array", "items": {
            "type": "object", "required": ["identification"], "additionalProperties": False,
            "properties": {
                "identification": {
                    "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False,
                    "properties": {"uuid": {"type": "string"}, "name": {"type": "string"}},
                },
                "inventories": {**_ADDITIONAL, "properties": {"additional": {"type": "array", "items": _INVENTORY}}},
                "traits": {**_ADDITIONAL, "properties": {"additional": {"type": "array", "items": {"type": "string", "pattern": _NAME}}}},
            },
        }},
    },
})
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Declared:
    """What files declare of a host."""

    resources: dict[str, CustomResource] = field(default_factory=dict)
    traits: tuple[str, ...] = ()


def read(folder: str, *, uuid: str, node: str) -> Declared:
    """Read all *.yaml files of a folder, and answer what they declare of one host; nothing when there is no such folder.

    Raises Invalid, naming the file: not readable, malformed, or two files (or entries) about the same host. What names the
    host by its uuid or name wins over what goes for any ($COMPUTE_NODE).
    """
    general: dict[str, Declared] = {}
    own: dict[str, Declared] = {}
    for path in sorted([*Path(folder).glob("*.yaml"), *Path(folder).glob("*.yml")]) if folder else []:
        for provider in _providers(path):
            ((kind, name),) = provider["identification"].items()
            if kind == "uuid" and name != ANY_NODE and not _UUID.fullmatch(name):
                raise Invalid(f"{path}: identification.uuid {name!r} is neither a uuid nor {ANY_NODE}.")
            found = general if name == ANY_NODE else own
            if name not in (ANY_NODE, uuid if kind == "uuid" else node):
                continue
            if found:
                raise Invalid(f"{path} and {next(iter(found))} declare the same provider {name}.")
            found[str(path)] = _declared(path, provider)
    return next(iter((own or general).values()), Declared())


def _providers(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        document = _CHECK(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, fastjsonschema.JsonSchemaException) as error:
        raise Invalid(f"{path} is no provider configuration: {error}") from error
    yield from document["providers"]


def _declared(path: Path, provider: Mapping[str, Any]) -> Declared:
    resources: dict[str, CustomResource] = {}
    for one in provider.get("inventories", {}).get("additional", ()):
        ((name, values),) = one.items()
        if name in resources:
            raise Invalid(f"{path} declares {name} twice.")
        resources[name] = CustomResource(**{**values, "allocation_ratio": float(values.get("allocation_ratio", 1.0))})
        if resources[name].reserved > resources[name].total:
            raise Invalid(f"{path} reserves more {name} than there are.")
    return Declared(resources, tuple(provider.get("traits", {}).get("additional", ())))
