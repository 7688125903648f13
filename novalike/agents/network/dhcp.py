"""DHCP and name service of a network's namespace: one dnsmasq, which outlives the agent."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import secrets
from collections.abc import Iterable

from novalike.agents.network import names
from novalike.agents.network.bridges import METADATA
from novalike.agents.network.ownership import Ownership
from novalike.objects.network_state import DesiredNetwork, DesiredPort, DesiredSubnet
from novalike.privileged import dnsmasq, namespaces

LOG = logging.getLogger(__name__)


class Dhcp:
    """Keeps a dnsmasq per network, with its files in the network's folder."""

    def __init__(self, ownership: Ownership, *, domain: str, lease_time: int, dns_servers: Iterable[str]) -> None:
        self._ownership = ownership
        self._domain = domain
        self._lease_time = lease_time
        self._dns_servers = tuple(dns_servers) or resolvers()

    def ensure(self, network: DesiredNetwork, namespace: str, *, restart: bool = False) -> None:
        """Make the server run with what the network needs now; ports only make it read its hosts again.

        `restart` is for a namespace that is new: a server which still runs in the old one is of no use. Raises NovalikeError.
        """
        folder = self._ownership.folder(names.short(network.id))
        config, pid_file = f"{folder}/dnsmasq.conf", f"{folder}/dnsmasq.pid"
        if not _needed(network):
            dnsmasq.stop(config, pid_file)
            return
        self._ownership.claim(names.short(network.id))
        self._release(network, namespace, folder, running=dnsmasq.running(config, pid_file) is not None and not restart)
        hosts_changed = _write(f"{folder}/hosts", render_hosts(network))
        hosts_changed |= _write(f"{folder}/options", render_options(network))
        config_changed = _write(config, self.render_config(network, folder))
        if config_changed or restart:
            dnsmasq.stop(config, pid_file)
        if dnsmasq.running(config, pid_file) is None:
            dnsmasq.start(namespace, config)
        elif hosts_changed:
            dnsmasq.reread(config, pid_file)

    def lost(self, network: DesiredNetwork) -> bool:
        """Tell whether a network's server does not run, although it should."""
        folder = self._ownership.folder(names.short(network.id))
        return _needed(network) and dnsmasq.running(f"{folder}/dnsmasq.conf", f"{folder}/dnsmasq.pid") is None

    def remove(self, short: str) -> None:
        """End a network's server and forget its leases."""
        folder = self._ownership.folder(short)
        dnsmasq.stop(f"{folder}/dnsmasq.conf", f"{folder}/dnsmasq.pid")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/leases")

    def render_config(self, network: DesiredNetwork, folder: str) -> str:
        """Answer dnsmasq's configuration file."""
        domain = network.domain or self._domain
        lines = [
            "user=root", "no-hosts", "no-resolv", "no-poll", "bind-interfaces", f"interface={names.LAN}", "except-interface=lo",
            f"pid-file={folder}/dnsmasq.pid", f"dhcp-hostsfile={folder}/hosts", f"dhcp-leasefile={folder}/leases",
            f"dhcp-optsfile={folder}/options", "dhcp-authoritative", "dhcp-ignore=tag:!known", "no-ping",  # --no-ping: without it every new lease waits 3 s
            "dhcp-lease-max=65536", f"domain={domain}", f"local=/{domain}/", "expand-hosts",
            *(f"server={server}" for server in self._dns_servers),
        ]
        if any(subnet.version == 6 and subnet.mode for subnet in network.subnets):
            lines.append("enable-ra")
        if any(subnet.version == 6 and subnet.routed for subnet in network.subnets):
            lines.append(f"ra-param={names.LAN},0,0")    # addresses are had here, but the router is another
        for index, subnet in enumerate(network.subnets):
            if subnet.dhcp and subnet.server:
                lines += self._subnet(network, subnet, f"s{index}")
        return "\n".join(lines) + "\n"

    def _subnet(self, network: DesiredNetwork, subnet: DesiredSubnet, tag: str) -> list[str]:
        span = ipaddress.ip_network(subnet.cidr)
        dns = ",".join(f"[{server}]" if ":" in server else server for server in subnet.dns or (subnet.server or "",))
        if span.version == 6:
            return self._subnet6(subnet, span.network_address, span.prefixlen, tag, dns)
        routes = [(f"{METADATA}/32", subnet.server or ""), *subnet.routes]
        if subnet.gateway:
            routes.append(("0.0.0.0/0", subnet.gateway))
        everywhere = ",".join(f"{to},{via}" for to, via in routes)
        return [
            f"dhcp-range=set:{tag},{span.network_address},static,{span.netmask},{self._lease_time}s",
            f"dhcp-option=tag:{tag},option:router{',' + subnet.gateway if subnet.gateway else ''}",
            f"dhcp-option=tag:{tag},option:dns-server,{dns}",
            f"dhcp-option=tag:{tag},option:mtu,{network.mtu}",
            f"dhcp-option=tag:{tag},option:classless-static-route,{everywhere}",
            f"dhcp-option=tag:{tag},249,{everywhere}",       # the same for Windows
        ]

    def _subnet6(self, subnet: DesiredSubnet, first: object, length: int, tag: str, dns: str) -> list[str]:
        how = {"slaac": "ra-only", "dhcpv6-stateless": "ra-stateless", "dhcpv6-stateful": "static"}.get(subnet.mode or "")
        if how is None:
            return []
        return [
            f"dhcp-range=set:{tag},{first},{how},{length},{self._lease_time}s",
            f"dhcp-option=tag:{tag},option6:dns-server,{dns}",
        ]

    def _release(self, network: DesiredNetwork, namespace: str, folder: str, *, running: bool) -> None:
        """End the leases of addresses which belong to nobody, or to somebody else, by now.

        A running server keeps its leases in memory and is told as a guest would tell it; for one that will start anew, the
        file is put right.
        """
        owners = {address: port.mac for port in network.ports for _, address in port.addresses}
        leases = read_leases(f"{folder}/leases")
        stale = [lease for lease in leases if ":" not in lease[2] and owners.get(lease[2]) != lease[1]]
        if not stale:
            return
        if not running:
            _write(f"{folder}/leases", "".join(" ".join(lease) + "\n" for lease in leases if lease not in stale))
            return
        for _, mac, address, _, client_id in stale:
            server = next((
                s.server for s in network.subnets
                if s.version == 4 and s.server and ipaddress.ip_address(address) in ipaddress.ip_network(s.cidr)
            ), None)
            if server:
                message = release_message(server, address, mac, client_id)
                namespaces.send_datagram(namespace, message, (server, 67), source=(server, 68))


def _needed(network: DesiredNetwork) -> bool:
    return any(subnet.server and (subnet.dhcp or subnet.version == 4) for subnet in network.subnets)


def render_hosts(network: DesiredNetwork) -> str:
    """Answer dnsmasq's hosts file: the addresses of each MAC address, and its name."""
    modes = {subnet.id: subnet.mode for subnet in network.subnets if subnet.version == 6}
    lines = []
    for port in network.ports:
        shown = [
            f"[{address}]" if ":" in address else address for subnet_id, address in port.addresses
            if ":" not in address or modes.get(subnet_id) == "dhcpv6-stateful"
        ]
        first = next((address for _, address in port.addresses), None)
        if shown:
            name = port.hostname or "host-" + str(first).replace(".", "-").replace(":", "-")
            lines.append(",".join((port.mac, *([f"set:{_tag(port)}"] if port.options else []), *shown, name)))
    return "".join(f"{line}\n" for line in sorted(lines))


def _tag(port: DesiredPort) -> str:
    return f"p{names.short(port.id)}"


def render_options(network: DesiredNetwork) -> str:
    """Answer dnsmasq's file of further options, which it reads again as it does the hosts; it passes over what it does not know."""
    return "".join(
        f"tag:{_tag(port)},{_option(name, version)},{value}\n" for port in network.ports for name, value, version in port.options
    )


def _option(name: str, version: int) -> str:
    kind = "option6" if version == 6 else "option"
    return name if name.isdecimal() and version == 4 else f"{kind}:{name}"


def read_leases(path: str) -> list[tuple[str, str, str, str, str]]:
    """Answer the IPv4 leases of a lease file: expiry, MAC, address, name, client id."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            rows = [line.split() for line in file]
    except FileNotFoundError:
        return []
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows if len(row) == 5 and row[0] != "duid"]


def release_message(server: str, address: str, mac: str, client_id: str) -> bytes:
    """Answer the DHCPRELEASE which the guest itself would send."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    identifier = b"" if client_id == "*" else bytes.fromhex(client_id.replace(":", ""))
    options = b"\x63\x82\x53\x63" + b"\x35\x01\x07" + b"\x36\x04" + ipaddress.IPv4Address(server).packed
    if identifier:
        options += bytes([0x3D, len(identifier)]) + identifier
    return (
        b"\x01\x01\x06\x00" + secrets.token_bytes(4) + bytes(4) + ipaddress.IPv4Address(address).packed + bytes(12)
        + hardware.ljust(16, b"\0") + bytes(192) + options + b"\xff"
    )


def resolvers(path: str = "/etc/resolv.conf") -> tuple[str, ...]:
    """Answer the host's name servers which a namespace can reach too."""
    found = []
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        for words in map(str.split, file):
            if len(words) >= 2 and words[0] == "nameserver":
                with contextlib.suppress(ValueError):
                    if not ipaddress.ip_address(words[1].partition("%")[0]).is_loopback:
                        found.append(words[1])
    return tuple(found)


def _write(path: str, text: str) -> bool:
    """Replace a file unless it says the same; answer whether it changed."""
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
        if file.read() == text:
            return False
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)
    return True
