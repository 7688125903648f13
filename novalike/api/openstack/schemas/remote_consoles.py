"""Bodies which ask for a console."""

from __future__ import annotations

from novalike.api.http.query import Query
from novalike.api.http.schema import Field, Object, wrapped

_PROTOCOLS = ["vnc", "spice", "rdp", "serial"]
_TYPES = ["novnc", "xvpvnc", "spice-html5", "rdp-html5", "serial"]


def _one_of(*values: str) -> dict[str, object]:
    return {"type": "string", "enum": list(values)}


REMOTE_CONSOLE = wrapped("remote_console", Object({
    "protocol": (
        Field(_one_of(*_PROTOCOLS), required=True, until="2.7"),
        Field(_one_of(*_PROTOCOLS, "mks"), required=True, since="2.8"),
    ),
    "type": (
        Field(_one_of(*_TYPES), required=True, until="2.7"),
        Field(_one_of(*_TYPES, "webmks"), required=True, since="2.8", until="2.98"),
        Field(_one_of(*_TYPES, "webmks", "spice-direct"), required=True, since="2.99"),
    ),
}))
#: The action words of before 2.6, with their protocol and types.
ACTIONS = {
    "os-getVNCConsole": ("vnc", ("novnc", "xvpvnc")), "os-getSPICEConsole": ("spice", ("spice-html5",)),
    "os-getSerialConsole": ("serial", ("serial",)),
}
ACTION_BODIES = {
    word: wrapped(word, Object({"type": Field(_one_of(*types), required=True)})) for word, (_protocol, types) in ACTIONS.items()
}
SHOW_TOKEN = Query({}, unknown="2.99")
