"""Values which many bodies and query strings hold, as plain JSON Schema."""

from __future__ import annotations

from typing import Any

from oslo_utils import strutils

from novalike.exception import Invalid

#: The largest number a database column takes.
MAX_INT = 0x7FFFFFFF
#: Control characters, separators other than the plain space, and surrogates.
_UNPRINTABLE = r"\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ud800-\udfff"

#: Printable characters, with spaces inside only.
NAME: dict[str, Any] = {
    "type": "string", "minLength": 1, "maxLength": 255, "pattern": rf"^(?! )[^{_UNPRINTABLE}]+(?<! )$",
}
#: Printable characters, in one line.
DESCRIPTION: dict[str, Any] = {
    "type": ["string", "null"], "minLength": 0, "maxLength": 65535,
    "pattern": rf"^[^{_UNPRINTABLE}]*$",
}
HOSTNAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9-._]*$"}
UUID: dict[str, Any] = {"type": "string", "format": "uuid"}
PROJECT_ID: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9-]*$"}
_YES = ["True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "Y", "t"]
_NO = ["False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "N", "f"]
BOOLEAN: dict[str, Any] = {"type": ["boolean", "string"], "enum": [True, *_YES, False, *_NO]}
#: A whole number, as such or in digits; `whole` checks its range and converts it.
WHOLE: dict[str, Any] = {"type": ["integer", "string"], "pattern": r"^-?[0-9]{1,10}$"}
#: A metadata document: keys and values are texts of at most 255 characters.
METADATA_KEY = r"^[a-zA-Z0-9-_:. ]{1,255}$"
METADATA_OR_NULL: dict[str, Any] = {
    "type": "object", "additionalProperties": False, "patternProperties": {METADATA_KEY: {"type": ["string", "null"], "maxLength": 255}},
}


def boolean(value: bool | str) -> bool:
    """Answer what a value which passed BOOLEAN says."""
    return strutils.bool_from_string(value, strict=True)


def whole(value: int | str, name: str, *, minimum: int, maximum: int = MAX_INT) -> int:
    """Answer a value which passed WHOLE as a number. Raises Invalid, naming the field, outside of the range."""
    number = int(value)
    if number < minimum:
        raise Invalid(f"Invalid input for field/attribute {name}. Value: {value}. {number} is less than the minimum of {minimum}")
    if number > maximum:
        raise Invalid(f"Invalid input for field/attribute {name}. Value: {value}. {number} is greater than the maximum of {maximum}")
    return number
