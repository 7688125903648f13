"""How guests hear of their router in IPv6: a dnsmasq in its namespace, which only advertises."""

from __future__ import annotations

import contextlib
import ipaddress

from novalike.agents.network import names
from novalike.objects.network_state import DesiredRouter
from novalike.privileged import dnsmasq

_MODES = {"slaac": "ra-only", "dhcpv6-stateless": "ra-stateless", "dhcpv6-stateful": "static"}


class Advertising:
    """Keeps a dnsmasq for each router which is a gateway of IPv6 networks."""

    def ensure(self, router: DesiredRouter, namespace: str, folder: str, *, restart: bool = False) -> None:
        """Make it run with what the router needs now, or not at all. Raises NovalikeError."""
        config, pid_file = f"{folder}/dnsmasq.conf", f"{folder}/dnsmasq.pid"
        wanted = render(router, folder)
        if not wanted:
            dnsmasq.stop(config, pid_file)
            return
        if _read(config) != wanted or restart:
            dnsmasq.stop(config, pid_file)
            with open(config, "w", encoding="utf-8") as file:
                file.write(wanted)
        if dnsmasq.running(config, pid_file) is None:
            dnsmasq.start(namespace, config)

    @staticmethod
    def remove(folder: str) -> None:
        """End it."""
        dnsmasq.stop(f"{folder}/dnsmasq.conf", f"{folder}/dnsmasq.pid")


def render(router: DesiredRouter, folder: str) -> str:
    """Answer dnsmasq's configuration file; empty when there is nothing to advertise."""
    lines: list[str] = []
    for leg in router.legs:
        if leg.advertised:
            lines.append(f"interface={names.LEG}{names.short(leg.id)}")
        for number, (cidr, mode, servers) in enumerate(leg.advertised):
            span, tag = ipaddress.ip_network(cidr), f"{names.short(leg.id)}{number}"
            lines.append(f"dhcp-range=set:{tag},{span.network_address},{_MODES[mode]},{span.prefixlen},1800s")
            servers6 = ",".join(f"[{server}]" for server in servers if ":" in server)
            if servers6:
                lines.append(f"dhcp-option=tag:{tag},option6:dns-server,{servers6}")
            if mode == "dhcpv6-stateful":            # whose addresses the network's own server gives
                lines.append(f"dhcp-ignore=tag:{tag},tag:!known")
    if not lines:
        return ""
    return "\n".join((
        "user=root", "port=0", "no-hosts", "no-resolv", "bind-interfaces", "except-interface=lo", "enable-ra", "dhcp-authoritative",
        f"pid-file={folder}/dnsmasq.pid", f"dhcp-leasefile={folder}/leases", *lines,
    )) + "\n"


def _read(path: str) -> str | None:
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
        return file.read()
    return None
