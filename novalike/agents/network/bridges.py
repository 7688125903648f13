"""Bridges, namespaces and the wires between them: the part of a network which does not depend on its ports."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from novalike.agents.network import names
from novalike.agents.network.ownership import Ownership
from novalike.exception import NovalikeError
from novalike.objects.network_state import DesiredNetwork
from novalike.privileged import links, namespaces

LOG = logging.getLogger(__name__)
METADATA = "169.254.169.254"
_QUIET = {"accept_ra": "0", "autoconf": "0"}


class Bridges:
    """Makes a network's bridge, its namespace and the links between bridge, namespace, host and other hosts.

    What was made without a tag (by compute, which may need a bridge before the agent hears of the network, or by an agent of
    the time before tags) becomes ours when the network is one that this host shall have.
    """

    def __init__(
        self, ownership: Ownership, *, prefix: str, transit: str, outside: bool, host_access: bool, local_ip: str, vxlan_port: int,
        interfaces: Mapping[str, str] | None = None,
    ) -> None:
        self._ownership = ownership
        self._prefix = prefix
        self._transit = ipaddress.IPv4Network(transit)
        self._outside = outside or host_access
        self._host_access = host_access
        self._local_ip = local_ip
        self._vxlan_port = vxlan_port
        self._interfaces = dict(interfaces or {})
        self._unrouted: set[str] = set()             # networks of which it was said that the host gets no route to them

    def namespace(self, network_id: str) -> str:
        """Answer the name of a network's namespace."""
        return f"{self._prefix}{names.short(network_id)}"

    def devices(self, network: DesiredNetwork) -> set[str]:
        """Answer the interfaces which a network has on the host, besides those of its ports."""
        short = names.short(network.id)
        devices = {network.bridge, f"{names.INNER}{short}"}
        if self._outside:
            devices.add(f"{names.OUTER}{short}")
        if self._tunnels(network):
            devices.add(f"{names.TUNNEL}{short}")
        if network.wire and network.kind == "vlan":
            devices.add(f"{names.VLAN}{short}")
        return devices

    def _tunnels(self, network: DesiredNetwork) -> bool:
        return network.segment is not None and not network.wire and bool(self._local_ip)

    def ensure(self, network: DesiredNetwork) -> bool:
        """Make true what is not; answer whether the namespace is a new one. Raises NovalikeError."""
        short, namespace = names.short(network.id), self.namespace(network.id)
        self._ownership.claim(short)
        self._bridge(network)
        fresh = namespaces.ensure(namespace)
        self.pair(f"{names.INNER}{short}", names.LAN, namespace, network.mtu, bridge=network.bridge, mac=names.inside_mac(network.id))
        if self._outside:
            self.pair(f"{names.OUTER}{short}", names.WAN, namespace, 1500)
        self._inside(network, namespace)
        if self._tunnels(network):
            self._tunnel(network)
        elif network.wire:
            self._join_wire(network)
        return fresh

    def _bridge(self, network: DesiredNetwork) -> None:
        links.ensure_bridge(network.bridge, mtu=network.mtu)
        found = links.show(device=network.bridge)
        links.change(self._ownership.marks(found[0]))
        # The host must not be reachable over the bridge's own link-local address.
        namespaces.set_sysctl({f"ipv6/conf/{network.bridge}/disable_ipv6": "1"})
        if found[0]["mtu"] != network.mtu or "UP" not in found[0]["flags"]:
            links.change([f"link set dev {network.bridge} mtu {network.mtu} up"])

    @staticmethod
    def take_in(networks: Iterable[DesiredNetwork]) -> None:
        """Put guests' taps back into bridges which were lost and made again. Raises NovalikeError."""
        bridge_of = {port.tap: network.bridge for network in networks for port in network.ports}
        lost = sorted(bridge_of.keys() & links.loose())
        if lost:
            LOG.warning("back into their bridges: %s", ", ".join(lost))
        links.change([f"link set dev {tap} master {bridge_of[tap]}" for tap in lost])

    def pair(self, outer: str, inner: str, namespace: str, mtu: int, *, bridge: str | None = None, mac: str = "") -> None:
        """One veth pair: `outer` on the host (in the bridge, if one is named), `inner` in the namespace."""
        found = links.show(device=outer)
        there = links.show(namespace, device=inner)
        if found and not there:                          # the namespace was lost, or holds the wrong end
            links.delete(outer)
            found = []
        if not found:
            if there:
                links.change([f"link delete dev {inner}"], namespace=namespace)
            address = f"address {mac} " if mac else ""
            links.change([
                f"link add name {outer} mtu {mtu} type veth peer name {inner} mtu {mtu} {address}netns {namespace}",
            ])
            namespaces.set_sysctl({f"ipv6/conf/{outer}/disable_ipv6": "1"})
            found = links.show(device=outer)
        links.change(self._ownership.marks(found[0]))
        if found[0]["mtu"] != mtu or "UP" not in found[0]["flags"] or (bridge and found[0].get("master") != bridge):
            links.change([f"link set dev {outer} mtu {mtu}{f' master {bridge}' if bridge else ''} up"])
        inside = links.show(namespace, device=inner)
        if inside[0]["mtu"] != mtu or "UP" not in inside[0]["flags"]:
            links.change([f"link set dev {inner} mtu {mtu} up"], namespace=namespace)

    def _inside(self, network: DesiredNetwork, namespace: str) -> None:
        """Addresses and routes of the namespace, and forwarding in it."""
        namespaces.set_sysctl({
            "ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1",
            **{f"ipv6/conf/{names.LAN}/{name}": value for name, value in _QUIET.items()},
        }, namespace=namespace)
        wanted = {f"{METADATA}/32"} | {
            f"{subnet.server}/{ipaddress.ip_network(subnet.cidr).prefixlen}" for subnet in network.subnets if subnet.server
        }
        here = links.show(namespace, device=names.LAN)[0]
        present = {f"{a['local']}/{a['prefixlen']}" for a in here["addr_info"] if a["scope"] != "link"}
        links.change([
            *(f"address add {address} dev {names.LAN}{' nodad' if ':' in address else ''}" for address in sorted(wanted - present)),
            *(f"address del {address} dev {names.LAN}" for address in sorted(present - wanted)),
        ], namespace=namespace)
        if self._outside:
            self._transit_addresses(network, namespace)

    def _transit_addresses(self, network: DesiredNetwork, namespace: str) -> None:
        outer = f"{names.OUTER}{names.short(network.id)}"
        everything = links.show()
        own = self._addresses(link for link in everything if link["ifname"] == outer)
        # Two agents may have chosen the same address at the same time: then one of them, by the name, chooses anew.
        shared = own and any(own[0] in self._addresses([link]) for link in everything if link["ifname"] < outer)
        if own and not shared:
            host = own[0]
        else:
            host = self._free_transit(network, everything)
            links.change([*([f"address flush dev {outer} scope global"] if own else []), f"address add {host}/31 dev {outer}"])
        inner = ipaddress.IPv4Address(int(host) + 1)
        here = links.show(namespace, device=names.WAN)
        if inner not in self._addresses(here):
            links.change([f"address flush dev {names.WAN} scope global", f"address add {inner}/31 dev {names.WAN}"], namespace=namespace)
        if not any(route["dst"] == "default" and route.get("gateway") == str(host) for route in links.routes(namespace)):
            links.change([f"route replace default via {host} dev {names.WAN}"], namespace=namespace)
        if self._host_access:
            self._host_routes(network, outer, inner)

    def _free_transit(self, network: DesiredNetwork, everything: Iterable[dict[str, Any]]) -> ipaddress.IPv4Address:
        """Choose a pair of addresses which nobody on this host has or routes to. The search begins where the network's id
        says, so that agents which search at the same time find different ones."""
        taken = {int(address) & ~1 for address in self._addresses(everything)}
        spans = [ipaddress.IPv4Network(route["dst"]) for route in links.routes() if route["dst"] != "default"]
        routed = [span for span in spans if span.subnet_of(self._transit) and span != self._transit]
        first, pairs = int(self._transit.network_address), self._transit.num_addresses // 2
        start = int(hashlib.sha256(network.id.encode()).hexdigest()[:8], 16)
        for number in range(start, start + pairs):
            candidate = ipaddress.IPv4Address(first + 2 * (number % pairs))
            if int(candidate) not in taken and not any(candidate in span or candidate + 1 in span for span in routed):
                return candidate
        raise NovalikeError("All addresses of [network] transit_range are in use on this host.")

    @staticmethod
    def _addresses(found: Iterable[dict[str, Any]]) -> list[ipaddress.IPv4Address]:
        return [
            ipaddress.IPv4Address(address["local"]) for link in found for address in link["addr_info"] if address["family"] == "inet"
        ]

    def _host_routes(self, network: DesiredNetwork, outer: str, inner: ipaddress.IPv4Address) -> None:
        """Give the host itself a way to the guests, unless it uses (a part of) their range for something else."""
        present = links.routes()
        for subnet in network.subnets:
            if subnet.version != 4 or not subnet.server:
                continue
            span = ipaddress.IPv4Network(subnet.cidr)
            clashing = [r for r in present if r["dst"] != "default" and ipaddress.IPv4Network(r["dst"]).overlaps(span)]
            mine = [route for route in clashing if route.get("dev") == outer]
            if not clashing or any(route.get("gateway") != str(inner) for route in mine):
                links.change([f"route {'replace' if mine else 'add'} {span} via {inner} dev {outer}"])
                self._unrouted.discard(network.id)
            elif not mine and network.id not in self._unrouted:
                self._unrouted.add(network.id)
                LOG.info("this host has other routes into %s (another cloud's, or its own): it gets no route to network %s", span, network.id)
        wanted = {str(ipaddress.ip_network(subnet.cidr)) for subnet in network.subnets}
        for route in present:
            if route.get("dev") == outer and route.get("gateway") and route["dst"] not in wanted:
                links.change([f"route del {route['dst']} dev {outer}"])

    @staticmethod
    def unroute(network_id: str) -> None:
        """Take the host's own way to a network's guests away. Raises NovalikeError."""
        outer = f"{names.OUTER}{names.short(network_id)}"
        links.change([f"route del {route['dst']} dev {outer}" for route in links.routes() if route.get("dev") == outer and route.get("gateway")])

    def _tunnel(self, network: DesiredNetwork) -> None:
        """A VXLAN port in the bridge, which floods to every other host with ports in the network."""
        tunnel = f"{names.TUNNEL}{names.short(network.id)}"
        found = links.show(device=tunnel)
        if found and found[0]["linkinfo"]["info_data"].get("id") != network.segment:
            links.delete(tunnel)
            found = []
        if found:
            links.change(self._ownership.marks(found[0]))
        else:
            kind = f"vxlan id {network.segment} local {self._local_ip} dstport {self._vxlan_port}"
            links.change([
                f"link add name {tunnel} mtu {network.mtu} type {kind}", f"link set dev {tunnel} master {network.bridge} up",
                *self._ownership.marks({"ifname": tunnel}),
            ])
            namespaces.set_sysctl({f"ipv6/conf/{tunnel}/disable_ipv6": "1"})
        present = {
            entry["dst"] for entry in links.forwarding_entries(tunnel)
            if entry["mac"] == "00:00:00:00:00:00" and "dst" in entry
        }
        wanted = set(network.peers)
        links.change_forwarding([
            *(f"fdb append 00:00:00:00:00:00 dev {tunnel} dst {peer}" for peer in sorted(wanted - present)),
            *(f"fdb del 00:00:00:00:00:00 dev {tunnel} dst {peer}" for peer in sorted(present - wanted)),
        ])

    def _join_wire(self, network: DesiredNetwork) -> None:
        """Take this host's interface to a physical network (of a VLAN network: a VLAN device on it) into the bridge."""
        interface = self._interfaces.get(network.wire)
        if interface is None:
            raise NovalikeError(f"[network] physical_interfaces names no interface of this host to {network.wire}.")
        if not links.show(device=interface):
            raise NovalikeError(f"There is no interface {interface}, this host's to {network.wire}.")
        if network.kind == "vlan":
            device = f"{names.VLAN}{names.short(network.id)}"
            found = links.show(device=device)
            links.change([*([] if found else vlan_commands(interface, device, network)), *self._ownership.marks(found[0] if found else {"ifname": device})])
            interface = device
        if links.show(device=interface)[0].get("master") != network.bridge:
            links.change([f"link set dev {interface} master {network.bridge} up"])
            namespaces.set_sysctl({f"ipv6/conf/{interface}/disable_ipv6": "1"})

    def remove(self, short: str, *, taps: bool = False) -> bool:
        """Remove everything of a network, by the short form of its id; answer False when guests are still in its bridge,
        which then stays for the next time. With `taps`, taps which no process holds (those of guests which were killed) are
        no guests, and go too."""
        namespaces.delete(f"{self._prefix}{short}")
        for prefix in (names.INNER, names.OUTER, names.TUNNEL, names.VLAN):
            links.delete(f"{prefix}{short}")
        bridge = f"{names.BRIDGE}{short}"
        wires = set(self._interfaces.values())       # they stay the host's, and leave with the bridge
        present = [link for link in links.show() if link.get("master") == bridge and link["ifname"] not in wires]
        members = [link["ifname"] for link in present if not (taps and _abandoned(link) and links.delete(link["ifname"]))]
        if members:
            LOG.info("bridge %s stays while %s is in it", bridge, ", ".join(members))
            return False
        links.delete(bridge)
        return True


def vlan_commands(interface: str, device: str, network: DesiredNetwork) -> list[str]:
    """Answer the lines of `ip -batch` which make a network's VLAN device."""
    return [f"link add link {interface} name {device} mtu {network.mtu} type vlan id {network.segment}"]


def _abandoned(link: dict[str, Any]) -> bool:
    """Tell whether an interface is a guest's tap which no process holds: one that is up but has no carrier."""
    is_tap = link["ifname"].startswith("tap") and link.get("linkinfo", {}).get("info_kind") == "tun"
    return is_tap and "UP" in link["flags"] and "LOWER_UP" not in link["flags"]
