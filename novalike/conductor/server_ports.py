"""Servers' ports at a real Neutron are compared with ours: nobody told us of what changed while our API was away."""

from __future__ import annotations

import logging
from datetime import timedelta

from novalike.conductor.world import World, on_behalf_of
from novalike.context import service_context
from novalike.db import hosts, port_cache
from novalike.db.engine import Database
from novalike.exception import Invalid, NotFound, Unavailable
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.tasks import Caller

LOG = logging.getLogger(__name__)

#: How many servers and ports are looked at in one round: some requests to Neutron, however many there are.
SERVERS, PORTS = 50, 200
#: So many ports do not vanish at once while no other one is left: then a wrong Neutron is asked.
SUSPICIOUS = 3
#: Seconds after the end of a server within which somebody may still be removing its ports.
MARGIN = 600


class ServerPorts:
    """Periodic work of a conductor: `look` heals a few servers and reaps among a few ports, then goes on where it was.

    Of several conductors only the first one which is up does it; two at once would only do it twice.
    """

    def __init__(self, world: World, cell: Database) -> None:
        self._world = world
        self._cell = cell
        self._server = 0                         # the last one looked at
        self._port: str | None = None

    def look(self) -> None:
        """Do one round. Nothing to do where the ports are in our own database."""
        if not self._world.networks.remote or not self._is_mine():
            return
        try:
            self.heal()
            self.reap()
        except Unavailable as error:
            LOG.info("ports are compared later: %s %s", error, error.details)

    def _is_mine(self) -> bool:
        conf = self._world.conf
        services = self._cell.fetch(hosts.list_services, down_after=conf.service_down_time, binary="novalike-conductor")
        first = next((service.host for service in services if service.up), conf.host)
        return bool(first == conf.host)

    # -- servers

    def heal(self) -> None:
        """Bring what is stored of some servers' ports up to date; ports which are gone are taken from their servers."""
        servers = self._cell.fetch(port_cache.at_rest, after=self._server, limit=SERVERS)
        self._server = servers[-1].id if len(servers) == SERVERS else 0
        if not servers:
            return
        current = self._world.networks.info_of(_caller(), [server.uuid for server in servers])
        if sum(len(server.network_info) for server in servers) >= SUSPICIOUS and not any(current.values()):
            LOG.error("Neutron knows none of the ports of %d servers: is it the one which made them? They stay as they are.", len(servers))
            return
        for server in servers:
            try:
                self._compare(server, current.get(server.uuid, ()))
            except NotFound:
                LOG.debug("instance %s was deleted while its ports were looked at", server.uuid)

    def _compare(self, server: Instance, current: tuple[Vif, ...]) -> None:
        if port_cache.merged(server.network_info, current) != server.network_info and self._cell.write(port_cache.refresh, server.uuid, current):
            LOG.info("instance %s: what changed of its ports was taken over", server.uuid)
        stored, found = ({vif.port_id for vif in vifs} for vifs in (server.network_info, current))
        for port_id in sorted(stored - found):
            LOG.warning("instance %s: its port %s does not exist any more", server.uuid, port_id)
            port_cache.let_go(self._cell, server, port_id, on_behalf_of(server), now=self._world.clock.now())
        if found - stored:
            now = self._cell.fetch(port_cache.is_at_rest, server.uuid)
            more = found - {vif.port_id for vif in now.network_info} if now is not None else set()
            if more:
                LOG.warning("instance %s: ports are bound to it which it does not have: %s", server.uuid, ", ".join(sorted(more)))

    # -- ports

    def reap(self) -> None:
        """Free those of some ports which we bound to servers that were deleted a while ago: made ports go, brought ones are unbound."""
        networks, caller = self._world.networks, _caller()
        try:
            page = networks.bound_ports(caller, after=self._port, limit=PORTS)
        except (Invalid, NotFound):
            if self._port is None:
                raise
            self._port = None                    # it is gone, and Neutron goes on after no such port: the next round begins anew
            return
        ours = [port for port in page if port.ours and port.instance_uuid]
        before = self._world.clock.now() - timedelta(seconds=MARGIN)
        gone = self._cell.fetch(port_cache.deleted_before, {port.instance_uuid for port in ours}, before)
        left = [port.port_id for port in page]
        for port in ours:
            if port.instance_uuid in gone:
                networks.free_port(caller, port.instance_uuid, port.port_id)
                left.remove(port.port_id)
                LOG.warning("freed port %s, which the deleted instance %s had left", port.port_id, port.instance_uuid)
        if len(page) < PORTS:
            self._port = None
        elif left:                               # else they all went, and what follows is after the same port as before
            self._port = left[-1]


def _caller() -> Caller:
    """Answer who looks at everybody's ports."""
    return Caller(user_id="", project_id="", request_id=service_context().request_id)
