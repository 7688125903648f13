"""Bodies of resize and migrate."""

from __future__ import annotations

from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack.schemas.names import HOSTNAME

RESIZE = wrapped("resize", Object({
    "flavorRef": Field({"type": ["string", "integer"], "minLength": 1, "maxLength": 1024}, required=True),
    "OS-DCF:diskConfig": Field({"type": "string", "enum": ["AUTO", "MANUAL"]}),
}))
CONFIRM = wrapped("confirmResize", {})
REVERT = wrapped("revertResize", {})
MIGRATE = Object({"migrate": (
    Field({}, required=True, until="2.55"),
    Field(Object({"host": Field(HOSTNAME)}, nullable=True), required=True, since="2.56"),
)})
