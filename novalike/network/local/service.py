"""The network service itself: rules and rows. Its agents make on each host what is decided here."""

from __future__ import annotations

from contextlib import AbstractContextManager

from oslo_config import cfg

from novalike.clock import Clock
from novalike.db import network_quotas
from novalike.db.cells import Cells
from novalike.network.local.client import LocalNetworkClient
from novalike.network.local.failover import INTERVAL, Failover
from novalike.network.local.floating_ips import FloatingIps
from novalike.network.local.groups import SecurityGroups
from novalike.network.local.networks import Networks
from novalike.network.local.ports import Ports
from novalike.network.local.router_interfaces import RouterInterfaces
from novalike.network.local.routers import Routers
from novalike.network.local.store import RESOURCES, Ring, Store
from novalike.network.local.subnet_pools import SubnetPools
from novalike.network.local.subnets import Subnets
from novalike.network.local.tags import TABLES, Tags
from novalike.network.local.topology import AutoTopology
from novalike.network.local.usage import Availability
from novalike.periodic import Periodic


def _silent(host: str, revision: int) -> None:
    """Tells nobody: agents find changes by their periodic reconcile."""


class LocalNetworks:
    """Networks, subnets, ports, routers, floating addresses and security groups of the local cloud.

    `ring(host, revision)` is called after each change which concerns a host; it must neither wait nor raise. `client` is
    the NetworkClient which compute uses.
    """

    def __init__(self, conf: cfg.ConfigOpts, cells: Cells, clock: Clock, ring: Ring = _silent) -> None:
        store = Store(cells, clock, conf, ring)
        self.conf = conf
        self._store = store
        self.networks = Networks(store)
        self.subnets = Subnets(store)
        self.ports = Ports(store)
        self.routers = Routers(store)
        self.router_interfaces = RouterInterfaces(store)
        self.floating_ips = FloatingIps(store)
        self.subnet_pools = SubnetPools(store)
        self.topology = AutoTopology(store, self.networks, self.subnets, self.routers, self.router_interfaces)
        self.availability = Availability(store)
        self.tags = Tags(store)
        self.security_groups = SecurityGroups(store)
        self.quotas = Quotas(store)
        self.client = LocalNetworkClient(store, self.topology)
        #: What a conductor repeats.
        self.recovery = (Periodic("routers of dead hosts", INTERVAL, Failover(store).run, delay=INTERVAL),)

    def expecting(self, collection: str, key: str, revision: int) -> AbstractContextManager[None]:
        """Answer a context in which changes fail with RevisionNumberConstraintFailed unless a thing of a collection (its path in
        the API) has this revision."""
        return self._store.expecting(TABLES[collection], key, revision)


class Quotas:
    """Limits of network resources."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def limits(self, project_id: str) -> dict[str, int]:
        """Answer a project's limits; -1 is unlimited."""
        return self._store.database.fetch(self._store.limits, project_id)

    def defaults(self) -> dict[str, int]:
        """Answer the limits of projects for which none were set."""
        return {resource: int(self._store.settings[f"quota_{resource}"]) for resource in RESOURCES}

    def usage(self, project_id: str) -> dict[str, int]:
        """Answer how many of each resource a project has."""
        return self._store.database.fetch(self._store.usage, project_id)

    def set(self, project_id: str, changes: dict[str, int]) -> None:
        """Set limits of a project."""
        self._store.database.write(network_quotas.set_limits, project_id, changes)

    def reset(self, project_id: str) -> None:
        """Go back to the configured limits."""
        self._store.database.write(network_quotas.reset_limits, project_id)

    def projects(self) -> list[str]:
        """Answer the projects with limits of their own."""
        return self._store.database.fetch(network_quotas.limited_projects)
