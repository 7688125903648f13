"""A project's own network, made on demand: a router to the default external network, a network, and a subnet of each default
subnet pool, as `openstack network auto allocated topology create` asks for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import networks, ports, routers, subnet_pools
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden, NotFound
from novalike.network import errors
from novalike.network.local.networks import Networks
from novalike.network.local.router_interfaces import RouterInterfaces
from novalike.network.local.routers import Routers
from novalike.network.local.store import Store, own
from novalike.network.local.subnets import Subnets
from novalike.objects.network import Network
from novalike.objects.router import INTERFACE

NETWORK, ROUTER, SUBNET = "auto_allocated_network", "auto_allocated_router", "auto_allocated_subnet_v{}"


class AutoTopology:
    """Makes and removes projects' networks as one thing."""

    def __init__(self, store: Store, networks_: Networks, subnets: Subnets, routers_: Routers, interfaces: RouterInterfaces) -> None:
        self._store = store
        self._networks, self._subnets, self._routers, self._interfaces = networks_, subnets, routers_, interfaces

    def check(self, ctxt: RequestContext, project_id: str) -> None:
        """Raise AutoAllocationFailure unless the cloud has what such a network needs."""
        self._store.database.fetch(self._needed)

    @staticmethod
    def _needed(session: Session) -> tuple[Network, list[Any]]:
        listing = Listing(filters={"external": (1,), "is_default": (1,)}, limit=2)
        external = networks.list_page(session, listing)
        if len(external) != 1:
            raise errors.AutoAllocationFailure("Deployment error: No default router:external network.")
        pools = [pool for version in (4, 6) if (pool := subnet_pools.default(session, version))]
        if not pools:
            raise errors.AutoAllocationFailure("Deployment error: No default subnetpools defined.")
        return external[0], pools

    def ensure(self, ctxt: RequestContext, project_id: str) -> str:
        """Answer the id of a project's network, which is made unless it is there. What an attempt before left half made is
        finished. Raises AutoAllocationFailure, Forbidden, and what making each part raises."""
        if not own(ctxt, project_id):
            raise Forbidden("Only administrators may do this for other projects.")
        external, pools = self._store.database.fetch(self._needed)
        network = self._network(project_id) or self._networks.create(ctxt, [{"name": NETWORK, "project_id": project_id}])[0]
        present = {subnet.name: subnet for subnet in self._store.database.fetch(networks.subnets_of, [network.id])[network.id]}
        for pool in pools:
            name = SUBNET.format(pool.ip_version)
            if name not in present:
                present[name] = self._subnets.create(ctxt, [{
                    "name": name, "network_id": network.id, "project_id": project_id, "subnetpool_id": pool.id, "ip_version": pool.ip_version,
                    **({"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"} if pool.ip_version == 6 else {}),
                }])[0]
        found = self._store.database.fetch(routers.list_page, Listing(project_id=project_id, filters={"name": (ROUTER,)}, limit=1))
        router = found[0] if found else self._routers.create(
            ctxt, [{"name": ROUTER, "project_id": project_id, "gateway": {"network_id": external.id}}],
        )[0]
        joined = {subnet_id for leg in self._store.database.fetch(routers.interfaces, router.id) for subnet_id, _ in leg.fixed_ips}
        for subnet in present.values():
            if subnet.id not in joined:
                self._interfaces.add(ctxt, router.id, subnet_id=subnet.id, port_id=None)
        return network.id

    def remove(self, ctxt: RequestContext, project_id: str) -> None:
        """Remove a project's network again. Raises NotFound, and Conflict while servers use it."""
        if not own(ctxt, project_id):
            raise Forbidden("Only administrators may do this for other projects.")
        network = self._network(project_id)
        if network is None:
            raise NotFound(f"Auto-allocated topology for project {project_id} could not be found.")
        if any(not port.device_owner.startswith("network:") for port in self._store.database.fetch(ports.of_network, network.id)):
            raise errors.NetworkInUse(
                f"Unable to complete operation on network {network.id}. There are one or more ports still in use on the network.",
            )
        for port in self._store.database.fetch(ports.of_network, network.id, owner=INTERFACE):
            self._interfaces.remove(ctxt, port.device_id, subnet_id=None, port_id=port.id)
            router = self._store.database.fetch(routers.get, port.device_id)
            if router.name == ROUTER and not self._store.database.fetch(routers.interfaces, router.id):
                self._routers.delete(ctxt, router.id)
        self._networks.delete(ctxt, network.id)

    def _network(self, project_id: str) -> Network | None:
        listing = Listing(project_id=project_id, filters={"name": (NETWORK,), "project_id": (project_id,)}, limit=1)
        return next(iter(self._store.database.fetch(networks.list_page, listing)), None)
