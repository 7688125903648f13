"""Networks and addresses as compute's API shows and changes them: part of the client in client.py."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import floating_ips, networks, ports
from novalike.db.network_listing import Listing
from novalike.exception import NotFound
from novalike.network.local.addresses import WantedAddress
from novalike.network.local.floating_ips import FloatingIps
from novalike.network.local.networks import Networks
from novalike.network.local.ports import Ports
from novalike.network.local.store import Store
from novalike.objects.floating import FloatingAddress, NamedNetwork
from novalike.objects.network import Network
from novalike.objects.router import FloatingIp

#: The most which one list shows.
_MOST = 10_000


class ProxiedAddresses:
    """Implements network.client.ProjectAddresses."""

    _store: Store

    def project_networks(self, ctxt: RequestContext) -> list[NamedNetwork]:
        """See ProjectAddresses."""
        listing = Listing(project_id=ctxt.project_id or "-", limit=_MOST)
        return [_named(network) for network in self._store.database.fetch(networks.list_page, listing)]

    def project_network(self, ctxt: RequestContext, network_id: str) -> NamedNetwork:
        """See ProjectAddresses."""
        return _named(Networks(self._store).get(ctxt, network_id))

    def floating_pools(self, ctxt: RequestContext) -> list[NamedNetwork]:
        """See ProjectAddresses."""
        listing = Listing(project_id=ctxt.project_id or "-", filters={"external": (1,)}, limit=_MOST)
        return [_named(network) for network in self._store.database.fetch(networks.list_page, listing)]

    def floating_ips(self, ctxt: RequestContext) -> list[FloatingAddress]:
        """See ProjectAddresses."""
        return self._store.database.fetch(
            lambda session: _shown(session, floating_ips.list_page(session, Listing(project_id=ctxt.project_id or "-", limit=_MOST))),
        )

    def floating_ip(self, ctxt: RequestContext, floating_id: str) -> FloatingAddress:
        """See ProjectAddresses."""
        found = FloatingIps(self._store).get(ctxt, floating_id)
        return self._store.database.fetch(_shown, [found])[0]

    def allocate_floating(self, ctxt: RequestContext, network_id: str) -> FloatingAddress:
        """See ProjectAddresses."""
        made = FloatingIps(self._store).create(ctxt, [{"network_id": network_id}])
        return self._store.database.fetch(_shown, made)[0]

    def release_floating(self, ctxt: RequestContext, floating_id: str) -> None:
        """See ProjectAddresses."""
        FloatingIps(self._store).delete(ctxt, floating_id)

    def lead_floating(self, ctxt: RequestContext, floating_id: str, port_id: str | None, fixed_address: str | None = None) -> None:
        """See ProjectAddresses."""
        FloatingIps(self._store).update(ctxt, floating_id, {"port_id": port_id, "fixed_ip_address": fixed_address})

    def add_address(self, ctxt: RequestContext, port_id: str) -> None:
        """See ProjectAddresses."""
        port = Ports(self._store).get(ctxt, port_id)
        subnets = self._store.database.fetch(networks.subnets_of, [port.network_id])[port.network_id]
        if not subnets:
            raise NotFound(f"Network {port.network_id} has no subnet.")
        held = [WantedAddress(subnet_id=subnet_id, address=address) for subnet_id, address in port.fixed_ips]
        Ports(self._store).update(ctxt, port_id, {"fixed_ips": [*held, WantedAddress(subnet_id=subnets[0].id)]})

    def remove_address(self, ctxt: RequestContext, port_id: str, address: str) -> None:
        """See ProjectAddresses."""
        port = Ports(self._store).get(ctxt, port_id)
        kept = [WantedAddress(subnet_id=subnet_id, address=held) for subnet_id, held in port.fixed_ips if held != address]
        Ports(self._store).update(ctxt, port_id, {"fixed_ips": kept})


def _named(network: Network) -> NamedNetwork:
    return NamedNetwork(
        id=network.id, name=network.name, project_id=network.project_id, mtu=network.mtu, created_at=network.created_at,
        updated_at=network.updated_at,
    )


def _shown(session: Session, found: Iterable[FloatingIp]) -> list[FloatingAddress]:
    all_of_them = list(found)
    pools = {network.id: network.name or network.id for network in networks.by_ids(session, {one.network_id for one in all_of_them})}
    leading = {port.id: port for port in ports.by_ids(session, {one.port_id for one in all_of_them if one.port_id})}
    return [FloatingAddress(
        id=one.id, address=one.address, pool=pools[one.network_id], fixed_address=one.fixed_ip_address, port_id=one.port_id,
        server=leading[one.port_id].device_id or None if one.port_id in leading else None,
    ) for one in all_of_them]
