"""/os-baremetal-nodes until 2.35: a proxy to Ironic, which this cloud has not. Nova without Ironic's client answers the same."""

from __future__ import annotations

from novalike.api.http.application import Request, Route
from novalike.api.services import ApiServices
from novalike.exception import NotBuilt

_PATH, _RULE, _LAST = "/os-baremetal-nodes", "os_compute_api:os-baremetal-nodes", "2.35"


def _refuse(_request: Request) -> None:
    raise NotBuilt("Ironic client unavailable, cannot access Ironic.")


def routes(_services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of bare metal nodes."""
    return (
        Route(method="GET", path=_PATH, handler=_refuse, rule=f"{_RULE}:list", until=_LAST),
        Route(method="GET", path=f"{_PATH}/{{id}}", handler=_refuse, rule=f"{_RULE}:show", until=_LAST),
    )
