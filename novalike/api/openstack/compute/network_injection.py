"""injectNetworkInfo of POST /servers/{id}/action.

Nova's libvirt driver pushes nothing into guests; what is left of the action is that the server's stored addresses become those
which the network service has, from which metadata and the next boot take them. So it is here.
"""

from __future__ import annotations

from dataclasses import replace

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import network_injection as schemas
from novalike.api.operations.create import caller_of
from novalike.api.operations.servers import Servers, check_lock
from novalike.api.services import ApiServices
from novalike.db import port_cache
from novalike.exception import Conflict


class _Injection:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def inject(self, request: Request) -> None:
        instance = self._servers.get(request.context, request.path_args["id"])
        check_lock(instance, pass_lock=request.context.is_admin)
        if instance.host is None:
            raise Conflict(f"Instance {instance.uuid} is not ready")
        caller = replace(caller_of(request.context), project_id=instance.project_id)
        current = self._services.networks.info(caller, instance.uuid)
        self._services.cells.of_instance(instance.uuid).write(port_cache.refresh, instance.uuid, current)


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the route of the action."""
    return (Route(
        method="POST", path="/servers/{id}/action", action="injectNetworkInfo", handler=_Injection(services).inject,
        rule="os_compute_api:os-admin-actions:inject_network_info", body=schemas.INJECT, status=202,
    ),)
