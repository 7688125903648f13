"""What flavors and images ask of a host by name: resources and traits. Pure: extra specs and properties in, wishes out.

A key may name a group of wishes (`resources1:CUSTOM_FPGA`, `trait_net:CUSTOM_FAST`), which in Placement one provider of a
tree has to satisfy. A host is one provider here: groups add up, and `group_policy` isolate cannot be had by two of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_KEY = re.compile(r"(resources|trait)(\d{1,10}|_[A-Za-z0-9_-]{1,64})?:(.+)")
_CLASS = re.compile(r"[A-Z0-9_]{1,255}")
REQUIRED, FORBIDDEN = "required", "forbidden"


@dataclass(frozen=True, slots=True)
class Traits:
    """What a host must have, and must not have."""

    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()


#: The answer when nothing is asked for.
NO_TRAITS = Traits()


def resources(specs: Mapping[str, str]) -> dict[str, int]:
    """Answer resource class -> amount of a flavor's `resources:` specs; malformed ones are left out (see `malformed`)."""
    wanted: dict[str, int] = {}
    for key, value in specs.items():
        if key.startswith("resources") and (match := _KEY.fullmatch(key)) and _is_amount(match[3], value):
            wanted[match[3]] = wanted.get(match[3], 0) + int(value)
    return wanted


def traits(specs: Mapping[str, str], properties: Mapping[str, str]) -> Traits:
    """Answer the traits which a flavor requires or forbids, and which its image requires."""
    asked = [
        (match[3], value) for wishes in (specs, properties) for key, value in wishes.items()
        if key.startswith("trait") and (match := _KEY.fullmatch(key))
    ]
    if not asked:
        return NO_TRAITS
    return Traits(
        frozenset(name for name, value in asked if value == REQUIRED), frozenset(name for name, value in asked if value == FORBIDDEN),
    )


def malformed(specs: Mapping[str, str], properties: Mapping[str, str]) -> str | None:
    """Answer the first wish which cannot be understood or had, in words for users."""
    groups = set()
    for wishes in (specs, properties):
        for key, value in wishes.items():
            match = _KEY.fullmatch(key) if key.startswith(("resources", "trait")) else None
            if match is None:
                continue
            groups.add(match[2])
            if match[1] == "resources" and not _is_amount(match[3], value):
                return f"{key}={value} is malformed"
            if match[1] == "trait" and value not in ((REQUIRED, FORBIDDEN) if wishes is specs else (REQUIRED,)):
                return f"{key}={value} is malformed"
    if specs.get("group_policy") == "isolate" and len(groups - {None}) > 1:
        return "group_policy isolate needs several providers of resources, and every host is one"
    return None


def _is_amount(name: str, value: str) -> bool:
    return _CLASS.fullmatch(name) is not None and value.isascii() and value.isdigit() and len(value) <= 9
