"""Routers: each a namespace with a leg in the bridge of every network it joins, so that those of two projects never meet.

A floating address stands on the outer leg and is translated to a fixed one. All translation of a router is one nftables table,
replaced in one transaction: a floating address moves from one server to another between two packets.
"""

from __future__ import annotations

import ipaddress
import logging
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from novalike.agents.network import names, router_rules
from novalike.agents.network.advertising import Advertising
from novalike.agents.network.bridges import METADATA, Bridges
from novalike.agents.network.metadata import MetadataProxies
from novalike.agents.network.ownership import Ownership, owner_of
from novalike.exception import NovalikeError
from novalike.objects.network_state import DesiredLeg, DesiredRouter
from novalike.privileged import links, namespaces

LOG = logging.getLogger(__name__)
_MARK = "r-"                                     # before a router's short id, in names of namespaces and folders
_SYSCTLS = {
    "ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1", "ipv6/conf/default/accept_ra": "0",
    # A source must be where it would be answered to, and each leg speaks for its own addresses only.
    "ipv4/conf/all/rp_filter": "1", "ipv4/conf/default/rp_filter": "1", "ipv4/conf/all/arp_ignore": "1", "ipv4/conf/all/arp_announce": "2",
}


@dataclass(frozen=True)
class _Route:
    target: str
    via: str


class Routers:
    """One agent's routers on a host."""

    def __init__(self, ownership: Ownership, bridges: Bridges, metadata: MetadataProxies, *, prefix: str) -> None:
        self._ownership = ownership
        self._bridges = bridges
        self._metadata = metadata
        self._prefix = f"{prefix}{_MARK}"
        self._advertising = Advertising()
        self._made: dict[str, DesiredRouter] = {}    # which are known to be there

    def namespace(self, router_id: str) -> str:
        """Answer the name of a router's namespace."""
        return f"{self._prefix}{names.short(router_id)}"

    def made(self, router_id: str) -> bool:
        """Tell whether a router is known to be there."""
        return router_id in self._made

    def made_all(self) -> list[DesiredRouter]:
        """Answer the routers which are known to be there, as they were made."""
        return list(self._made.values())

    def yield_addresses(self, wanted: Iterable[DesiredRouter]) -> None:
        """Give up floating addresses which routers have no more, before another router takes one of them over."""
        for router in wanted:
            before = self._made.get(router.id)
            if before is not None and set(_floating(before)) - set(_floating(router)):
                self._remove_addresses(router)

    def ensure(self, router: DesiredRouter) -> None:
        """Make a router what it should be. Raises NovalikeError."""
        namespace = self.namespace(router.id)
        self._made.pop(router.id, None)
        self._ownership.claim(f"{_MARK}{names.short(router.id)}")
        fresh = namespaces.ensure(namespace)
        namespaces.set_sysctl(_SYSCTLS, namespace=namespace)
        self._drop_legs(namespace, {inside(leg) for leg in router.legs})
        for leg in router.legs:
            self._bridges.pair(outside(leg), inside(leg), namespace, leg.mtu, bridge=leg.bridge, mac=leg.mac)
        fresh_addresses = self._add_addresses(router, namespace)
        router_rules.ensure(router, namespace)
        self._remove_addresses(router)
        _ensure_routes(router, namespace)
        for device, address in fresh_addresses:
            namespaces.announce(namespace, device, address)
        self._metadata.ensure(router.id, namespace, reopen=fresh, network_of=lambda peer: network_of(router, peer))
        self._advertising.ensure(router, namespace, self._ownership.folder(f"{_MARK}{names.short(router.id)}"), restart=fresh)
        self._made[router.id] = router

    @staticmethod
    def _drop_legs(namespace: str, wanted: Collection[str]) -> None:
        present = [link["ifname"] for link in links.show(namespace) if link["ifname"].startswith((names.LEG, names.OUT))]
        links.change([f"link delete dev {name}" for name in present if name not in wanted], namespace=namespace)

    def _add_addresses(self, router: DesiredRouter, namespace: str) -> list[tuple[str, str]]:
        """Answer what was added, as (interface, address)."""
        added = []
        lines = []
        present = _present(namespace)
        if (METADATA, 32) not in present.get("lo", set()):
            lines.append(f"address add {METADATA}/32 dev lo")
        for leg in router.legs:
            device = inside(leg)
            for address, length in sorted(_wanted(router, leg) - present.get(device, set())):
                lines.append(f"address add {address}/{length} dev {device}{' nodad' if ':' in address else ''}")
                added.append((device, address))
        links.change(lines, namespace=namespace)
        return added

    def _remove_addresses(self, router: DesiredRouter) -> None:
        namespace = self.namespace(router.id)
        if not namespaces.exists(namespace):
            return
        present = _present(namespace)
        links.change([
            f"address del {address}/{length} dev {inside(leg)}" for leg in router.legs
            for address, length in sorted(present.get(inside(leg), set()) - _wanted(router, leg))
        ], namespace=namespace)

    def remove(self, router_id: str) -> None:
        """Remove a router. Raises NovalikeError."""
        self._made.pop(router_id, None)
        self._metadata.remove(router_id)
        self._remove(names.short(router_id))

    def _remove(self, short: str) -> None:
        folder = self._ownership.folder(f"{_MARK}{short}")
        namespace = f"{self._prefix}{short}"
        self._advertising.remove(folder)
        if namespaces.exists(namespace):
            # The kernel takes its time to empty a namespace; its addresses must not be heard in the meantime.
            self._drop_legs(namespace, ())
        namespaces.delete(namespace)
        shutil.rmtree(folder, ignore_errors=True)

    def clean(self, wanted: Collection[DesiredRouter]) -> None:
        """Remove what is this agent's and of no wanted router. Raises NovalikeError."""
        kept = {names.short(router.id) for router in wanted}
        for short in sorted(self._ownership.claimed(_MARK) - kept):
            LOG.info("removing what is left of router %s...", short)
            self._remove(short)
        ends = {outside(leg) for router in wanted for leg in router.legs}
        for link in links.show():
            if link["ifname"].startswith(names.ROUTER) and owner_of(link) == self._ownership.owner and link["ifname"] not in ends:
                links.delete(link["ifname"])
        for router_id in [router_id for router_id in self._made if names.short(router_id) not in kept]:
            self._metadata.remove(router_id)
            del self._made[router_id]


def outside(leg: DesiredLeg) -> str:
    """Answer the name of a leg's end on the host."""
    return f"{names.ROUTER}{names.short(leg.id)}"


def inside(leg: DesiredLeg) -> str:
    """Answer the name of a leg's end in the router."""
    return f"{names.OUT if leg.external else names.LEG}{names.short(leg.id)}"


def network_of(router: DesiredRouter, peer: str) -> str | None:
    """Answer the inner network which an address is of: a router's networks have no range in common."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return None
    for leg in router.legs:
        if not leg.external and any(address in ipaddress.ip_network(cidr) for _, cidr in leg.addresses):
            return leg.network_id
    return None


def _floating(router: DesiredRouter) -> list[str]:
    return [floating for floating, _ in router.floating]


def _wanted(router: DesiredRouter, leg: DesiredLeg) -> set[tuple[str, int]]:
    wanted = {(address, ipaddress.ip_network(cidr).prefixlen) for address, cidr in leg.addresses}
    return wanted | {(floating, 32) for floating in _floating(router)} if leg.external else wanted


def _present(namespace: str) -> dict[str, set[tuple[str, int]]]:
    return {
        link["ifname"]: {(a["local"], a["prefixlen"]) for a in link["addr_info"] if a["scope"] != "link"}
        for link in links.show(namespace)
    }


def _ensure_routes(router: DesiredRouter, namespace: str) -> None:
    connected = [ipaddress.ip_network(cidr) for leg in router.legs for _, cidr in leg.addresses]
    for version in (4, 6):
        anywhere = "0.0.0.0/0" if version == 4 else "::/0"
        given = [(anywhere, gateway) for gateway in router.gateways] + list(router.routes)
        wanted = {
            _Route(str(ipaddress.ip_network(to)), via) for to, via in given
            if ipaddress.ip_address(via).version == version and any(ipaddress.ip_address(via) in span for span in connected)
        }
        found = [route for route in links.routes(namespace, version=version) if route.get("gateway")]
        present = {_Route(str(ipaddress.ip_network(anywhere if r["dst"] == "default" else r["dst"])), r["gateway"]) for r in found}
        family = f"-{version}"
        try:
            links.change([
                *(f"route del {route.target} via {route.via}" for route in sorted(present - wanted, key=str)),
                *(f"route add {route.target} via {route.via}" for route in sorted(wanted - present, key=str)),
            ], namespace=namespace)
        except NovalikeError as error:
            raise NovalikeError("A router's routes could not be set.", details=f"{family}: {error.details}") from error
