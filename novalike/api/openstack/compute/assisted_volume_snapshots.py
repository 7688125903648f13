"""/os-assisted-volume-snapshots: the volume service has a hypervisor snapshot volumes which are files (on NFS, say).

No driver here has such volumes. So a volume which no server has answers as in Nova, and one which a server has is refused:
nothing is ever claimed to have been done.
"""

from __future__ import annotations

from typing import Any

import orjson

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import assisted_volume_snapshots as schemas
from novalike.api.services import ApiServices
from novalike.db import block_devices
from novalike.exception import Invalid, NotBuilt, NotFound

_PATH, _RULE = "/os-assisted-volume-snapshots", "os_compute_api:os-assisted-volume-snapshots"


class _Snapshots:
    def __init__(self, services: ApiServices) -> None:
        self._cells = services.cells

    def create(self, request: Request) -> None:
        volume_id = request.body_value["snapshot"]["volume_id"]
        if not self._attached(volume_id):
            raise Invalid(f"No volume Block Device Mapping with id {volume_id[:255]}.")
        raise NotBuilt("This cloud's hypervisors have no volumes which are files: the volume service must snapshot them itself.")

    def delete(self, request: Request) -> None:
        volume_id = _volume_id(request.param("delete_info"))
        if not self._attached(volume_id):
            raise NotFound(f"No volume Block Device Mapping with id {volume_id[:255]}.")
        raise NotBuilt("This cloud's hypervisors have no volumes which are files: the volume service must merge snapshots itself.")

    def _attached(self, volume_id: str) -> bool:
        return len(volume_id) <= 36 and any(cell.fetch(block_devices.has_volume, volume_id) for cell in self._cells)


def _volume_id(text: str | None) -> str:
    try:
        info: Any = orjson.loads(text or "")
    except orjson.JSONDecodeError as error:
        raise Invalid("Invalid query parameter delete_info: it must be a JSON object.") from error
    if not isinstance(info, dict) or not isinstance(info.get("volume_id"), str):
        raise Invalid("Invalid query parameter delete_info: 'volume_id' is missing.")
    return str(info["volume_id"])


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of assisted snapshots."""
    of = _Snapshots(services)
    return (
        Route(method="POST", path=_PATH, handler=of.create, rule=f"{_RULE}:create", body=schemas.CREATE),
        Route(
            method="DELETE", path=f"{_PATH}/{{id}}", handler=of.delete, rule=f"{_RULE}:delete", query=schemas.DELETE_QUERY, status=204,
        ),
    )
