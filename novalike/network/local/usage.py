"""How many addresses of each network are in use."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from sqlalchemy.orm import Session

from novalike.db import networks, ports
from novalike.db.network_listing import Listing
from novalike.network.local.store import Store
from novalike.objects.network import Network, NetworkSubnet


@dataclass(frozen=True, kw_only=True)
class SubnetUsage:
    """What a subnet's pools hold, and what of it is given out."""

    subnet: NetworkSubnet
    total: int
    used: int


class Availability:
    """Counts addresses."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, listing: Listing) -> list[tuple[Network, list[SubnetUsage]]]:
        """Answer the networks of a listing, each with its subnets' usage."""
        return self._store.database.fetch(self._of, listing)

    @staticmethod
    def _of(session: Session, listing: Listing) -> list[tuple[Network, list[SubnetUsage]]]:
        found = networks.list_page(session, listing)
        subnets = networks.subnets_of(session, [network.id for network in found])
        used = ports.addresses_in_use(session, [subnet.id for many in subnets.values() for subnet in many])
        return [(network, [
            SubnetUsage(subnet=subnet, total=_size(subnet), used=used.get(subnet.id, 0)) for subnet in subnets[network.id]
        ]) for network in found]


def _size(subnet: NetworkSubnet) -> int:
    return sum(int(ipaddress.ip_address(end)) - int(ipaddress.ip_address(start)) + 1 for start, end in subnet.allocation_pools)
