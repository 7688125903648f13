"""What a resource consists of: one line per attribute says its name, its type, who may set it and how it is filtered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from novalike.network.errors import InvalidInput

NAME: dict[str, Any] = {"type": "string", "maxLength": 255}
NULLABLE_NAME: dict[str, Any] = {"type": ["string", "null"], "maxLength": 255}
TEXT: dict[str, Any] = {"type": "string", "maxLength": 255}
ID: dict[str, Any] = {"type": "string", "format": "uuid"}
PROJECT: dict[str, Any] = {"type": "string", "maxLength": 64}
FLAG: dict[str, Any] = {"enum": [True, False, "true", "false", "True", "False", 0, 1, "0", "1"]}
INTEGER: dict[str, Any] = {"type": ["integer", "string"], "pattern": r"^-?[0-9]{1,10}$"}
_YES, _NO = {"true", "1", "yes"}, {"false", "0", "no"}
#: Says that an attribute has no value which is the same for all things.
VARIES: Any = object()


def flag(value: Any) -> bool:
    """Answer what a client means by true or false."""
    return str(value).lower() in _YES


def moment(value: datetime | None) -> str | None:
    """Answer a time as Neutron shows it."""
    return None if value is None else value.replace(microsecond=0).isoformat() + "Z"


def same(value: Any) -> Any:
    """Answer the value itself."""
    return value


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute. `field` is its name in objects/network.py (default: the same).

    `create` and `update` say whether clients may give it; `rule` is a policy rule which they then need, and `seen` one
    without which it is not shown. `read` makes the field's value of the client's, `show` the other way round; `column`
    is what filters and sorting use (None: neither). `constant` is the value of what is the same for all things here: clients
    see it, and may filter by it. `computed` attributes are shown by the collection's `extra`.
    """

    name: str
    schema: Any = None
    field: str = ""
    create: bool = False
    update: bool = False
    required: bool = False
    rule: str | None = None
    seen: str | None = None
    read: Callable[[Any], Any] = same
    show: Callable[[Any], Any] = same
    column: str | None = ""
    shown: bool = True
    constant: Any = VARIES
    computed: bool = False

    @property
    def of(self) -> str:
        """The field's name."""
        return self.field or self.name

    @property
    def stored(self) -> str | None:
        """The column's name."""
        varies = self.constant is VARIES and not self.computed
        return self.column or self.of if varies and self.column is not None else None


def filter_value(schema: Any, text: str) -> Any:
    """Answer a filter's value as the column holds it. Raises InvalidInput for what is neither true nor false."""
    if schema is FLAG:
        if text.lower() not in _YES | _NO:
            raise InvalidInput(f"'{text[:255]}' cannot be converted to boolean.")
        return 1 if text.lower() in _YES else 0
    if schema is INTEGER:
        return int(text) if text.lstrip("-").isdecimal() and len(text) < 11 else -1
    return text


def is_constant(attribute: Attribute, values: Iterable[str]) -> bool:
    """Tell whether one of a filter's values is what an attribute's value always is."""
    wanted = {value.lower() for value in values}
    if isinstance(attribute.constant, bool):
        return any((value in _YES) == attribute.constant for value in wanted)
    return attribute.constant is not None and str(attribute.constant).lower() in wanted


IDENTITY = (
    Attribute(name="id"),
    Attribute(name="name", schema=NAME, create=True, update=True),
    Attribute(name="description", schema=TEXT, create=True, update=True),
    Attribute(name="project_id", schema=PROJECT, create=True),
    Attribute(name="tenant_id", schema=PROJECT, field="project_id", create=True),
)
TIMES = (
    Attribute(name="created_at", show=moment),
    Attribute(name="updated_at", show=moment),
    Attribute(name="revision_number", schema=INTEGER),
)
