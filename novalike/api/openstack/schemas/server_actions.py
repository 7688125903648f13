"""Bodies of actions on servers."""

from __future__ import annotations

from typing import Any

from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack.schemas.names import UUID

#: What stands behind a word which needs nothing.
ANYTHING: dict[str, Any] = {}
CRASH_DUMP = wrapped("trigger_crash_dump", {"type": "null"})
REBOOT = wrapped("reboot", Object({
    "type": Field({"type": "string", "enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}, required=True),
}))
CONSOLE_OUTPUT = wrapped("os-getConsoleOutput", Object({
    "length": Field({"type": ["integer", "string", "null"], "pattern": "^-?[0-9]{1,9}$", "minimum": -1, "maximum": 999_999_999}),
}))
LOCK = Object({"lock": (
    Field(ANYTHING, required=True, until="2.72"),
    Field(Object({
        "locked_reason": Field({"type": "string", "minLength": 1, "maxLength": 255}),
    }, nullable=True), required=True, since="2.73"),
)})
_PASSWORD: dict[str, Any] = {"type": "string", "maxLength": 255}
RESCUE = wrapped("rescue", Object({"adminPass": Field(_PASSWORD), "rescue_image_ref": Field(UUID)}, nullable=True))
UNRESCUE = wrapped("unrescue", ANYTHING)
CHANGE_PASSWORD = wrapped("changePassword", Object({"adminPass": Field(_PASSWORD, required=True)}))
RESET_STATE = wrapped("os-resetState", Object({
    "state": Field({"type": "string", "enum": ["active", "error"]}, required=True),
}))
