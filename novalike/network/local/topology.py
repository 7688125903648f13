"""A project's own network, made on demand: a router to the default external network, a network, and a subnet of each default
subnet pool, as `openstack network auto allocated topology create` asks for it."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import networks, ports, routers, subnet_pools
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden, NotFound
from novalike.network import errors
from novalike.network.local import ranges
from novalike.network.local.networks import Networks
from novalike.network.local.router_interfaces import RouterInterfaces
from novalike.network.local.routers import Routers
from novalike.network.local.store import Change, Store, own
from novalike.network.local.subnets import Subnets
from novalike.objects.network import Network
from novalike.objects.router import INTERFACE, SubnetPool

NETWORK, ROUTER, SUBNET = "auto_allocated_network", "auto_allocated_router", "auto_allocated_subnet_v{}"
#: Length of the prefix of a subnet which comes from no pool: 61 guests.
_PREFIX = 26


class AutoTopology:
    """Makes and removes projects' networks as one thing."""

    def __init__(self, store: Store, networks_: Networks, subnets: Subnets, routers_: Routers, interfaces: RouterInterfaces) -> None:
        self._store = store
        self._networks, self._subnets, self._routers, self._interfaces = networks_, subnets, routers_, interfaces

    def check(self, ctxt: RequestContext, project_id: str) -> None:
        """Raise AutoAllocationFailure unless the cloud has what such a network needs."""
        self._store.database.fetch(self.needed)

    def needed(self, session: Session) -> tuple[Network | None, list[SubnetPool]]:
        """Answer the default external network and the default subnet pools. Where [network] on_demand_range is set, there may be
        neither. Raises AutoAllocationFailure."""
        may_miss = bool(self._store.settings.on_demand_range)
        external = networks.list_page(session, Listing(filters={"external": (1,), "is_default": (1,)}, limit=2))
        if len(external) != 1 and not may_miss:
            raise errors.AutoAllocationFailure("Deployment error: No default router:external network.")
        pools = [pool for version in (4, 6) if (pool := subnet_pools.default(session, version))]
        if not pools and not may_miss:
            raise errors.AutoAllocationFailure("Deployment error: No default subnetpools defined.")
        return external[0] if len(external) == 1 else None, pools

    def ensure(self, ctxt: RequestContext, project_id: str) -> str:
        """Answer the id of a project's network, which is made unless it is there: once, however many ask at the same time.
        Raises AutoAllocationFailure, Forbidden, and what making each part raises."""
        if not own(ctxt, project_id):
            raise Forbidden("Only administrators may do this for other projects.")
        return self._store.change(self._ensure, ctxt, project_id, self._store.agents())

    def _ensure(self, change: Change, ctxt: RequestContext, project_id: str, hosts: list[str]) -> str:
        session = change.session
        self._store.serialize(change, project_id)
        external, pools = self.needed(session)
        network = _network(session, project_id) or self._networks.create_in(change, ctxt, [{"name": NETWORK, "project_id": project_id}])[0]
        present = {subnet.name: subnet for subnet in networks.subnets_of(session, [network.id])[network.id]}
        # A range is looked for only where there is no subnet yet: it may be used up by now.
        for values in [_of_pool(pool) for pool in pools] if pools or present else [self._of_range(change)]:
            if values["name"] not in present:
                given = {**values, "network_id": network.id, "project_id": project_id}
                present[values["name"]] = self._subnets.create_in(change, ctxt, [given])[0]
        if external is not None:
            self._connect(change, ctxt, project_id, external, [subnet.id for subnet in present.values()], hosts)
        return network.id

    def _connect(
        self, change: Change, ctxt: RequestContext, project_id: str, external: Network, subnet_ids: list[str], hosts: list[str],
    ) -> None:
        found = routers.list_page(change.session, Listing(project_id=project_id, filters={"name": (ROUTER,)}, limit=1))
        wanted = {"name": ROUTER, "project_id": project_id, "gateway": {"network_id": external.id}}
        router = found[0] if found else self._routers.create_in(change, ctxt, [wanted], hosts)[0]
        joined = {subnet_id for leg in routers.interfaces(change.session, router.id) for subnet_id, _ in leg.fixed_ips}
        for subnet_id in subnet_ids:
            if subnet_id not in joined:
                self._interfaces.add_in(change, ctxt, router.id, subnet_id, None)

    def _of_range(self, change: Change) -> dict[str, Any]:
        """Cut a subnet from the range which the configuration names. It overlaps no other, for the host routes to all of them."""
        span = ipaddress.ip_network(self._store.settings.on_demand_range)
        self._store.serialize(change, "on demand")   # of all projects
        free = ranges.first_free(span, _PREFIX, networks.cidrs(change.session))
        if free is None:
            raise errors.AutoAllocationFailure(f"No subnet is left in {span}.")
        return {"name": SUBNET.format(span.version), "ip_version": span.version, "cidr": str(free)}

    def remove(self, ctxt: RequestContext, project_id: str) -> None:
        """Remove a project's network again. Raises NotFound, and Conflict while servers use it."""
        if not own(ctxt, project_id):
            raise Forbidden("Only administrators may do this for other projects.")
        network = self._store.database.fetch(_network, project_id)
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


def _network(session: Session, project_id: str) -> Network | None:
    listing = Listing(project_id=project_id, filters={"name": (NETWORK,), "project_id": (project_id,)}, limit=1)
    return next(iter(networks.list_page(session, listing)), None)


def _of_pool(pool: SubnetPool) -> dict[str, Any]:
    values: dict[str, Any] = {"name": SUBNET.format(pool.ip_version), "subnetpool_id": pool.id, "ip_version": pool.ip_version}
    return values | ({"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"} if pool.ip_version == 6 else {})
