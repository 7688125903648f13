"""Why a body was refused, in Neutron's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from novalike.api.http import schema
from novalike.api.http.schema import Field, Object
from novalike.api.network.attributes import FLAG, INTEGER, Attribute
from novalike.exception import Invalid

_VERSION = (2, 0)
#: Longer values are cut.
_LONGEST = 256


class Body(Object):
    """The body which makes or changes things of one kind: one under `one`, or (where `many` is named) several under that.

    `operation` is "create" or "update".
    """

    def __init__(self, one: str, many: str | None, attributes: Sequence[Attribute], operation: str) -> None:
        self._one, self._many, self._attributes, self._operation = one, many, attributes, operation
        inner = Object({
            a.name: Field(a.schema, required=a.required and operation == "create") for a in attributes if getattr(a, operation)
        })
        fields = {one: Field(inner)}
        if many is not None:
            wrapped = {"type": "object", "properties": {one: inner}, "required": [one], "additionalProperties": False}
            fields[many] = Field({"type": "array", "items": {"anyOf": [inner, wrapped]}, "minItems": 1, "maxItems": 1000})
        super().__init__(fields, rules={"minProperties": 1, "maxProperties": 1})
        self._inner = {a.name: Object({a.name: Field(a.schema)}) for a in attributes if a.schema is not None}

    def explain(self, value: Any) -> str | None:
        """Answer what is wrong with a body which the schema refuses; None when these words do not cover it."""
        if not isinstance(value, dict) or (self._one not in value and self._many not in value):
            return f"Unable to find '{self._one}' in request body"
        if self._one in value and self._many in value:
            return f"Either '{self._one}' or '{self._many}' may be in a request body, and not both"
        given = [value[self._one]] if self._one in value else value[self._many]
        if not isinstance(given, list) or not given:
            return "Resources required"
        if len(value) > 1:
            return f"Unrecognized attribute(s) '{_names(value.keys() - {self._one, self._many})}'"
        return next((problem for each in given if (problem := self._of_one(self.unwrapped(each))) is not None), None)

    def unwrapped(self, item: Any) -> Any:
        """Answer one of several things, which may be given under the name of its kind again."""
        return item[self._one] if isinstance(item, dict) and item.keys() == {self._one} else item

    def _of_one(self, given: Any) -> str | None:
        if not isinstance(given, dict):
            return f"Unable to find '{self._one}' in request body"
        known = {attribute.name for attribute in self._attributes if attribute.shown or getattr(attribute, self._operation)}
        unknown = given.keys() - known
        if unknown:
            return f"Unrecognized attribute(s) '{_names(unknown)}'"
        for attribute in self._attributes:
            name = attribute.name
            if name not in given:
                if attribute.required and self._operation == "create":
                    return f"Failed to parse request. Required attribute '{name}' not specified"
            elif not getattr(attribute, self._operation):
                return f"Attribute '{name}' not allowed in POST" if self._operation == "create" else f"Cannot update read-only attribute {name}"
        for attribute in self._attributes:
            if attribute.name in given and (reason := self._reason(attribute, given[attribute.name])):
                return f"Invalid input for {attribute.name}. Reason: {reason}."
        return None

    def _reason(self, attribute: Attribute, value: Any) -> str | None:
        try:
            schema.check(self._inner[attribute.name], _VERSION, {attribute.name: value})
        except Invalid as refused:
            plain, shown = attribute.schema, str(value)[:_LONGEST]
            if plain is FLAG:
                return f"'{shown}' cannot be converted to boolean"
            if plain is INTEGER:
                return f"'{shown}' is not an integer"
            if plain.get("format") == "uuid" and isinstance(value, str):
                return f"'{shown}' is not a valid UUID"
            if "enum" in plain:
                return f"'{shown}' is not in {plain['enum']}"
            if plain.get("type") == "string" and not isinstance(value, str):
                return f"'{shown}' is not a valid string"
            if isinstance(value, str) and len(value) > plain.get("maxLength", len(value)):
                return f"'{shown}' exceeds maximum length of {plain['maxLength']}"
            # What is left speaks of "... field/attribute x. Value: v. <why>".
            return str(refused).partition(". Value: ")[2].partition(". ")[2] or str(refused)
        return None


def _names(unknown: Any) -> str:
    return ", ".join(sorted(name[:_LONGEST] for name in unknown))
