"""Ports as servers and hosts see them. The names of bridges and taps are made here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from novalike.db import floating_ips, networks, ports
from novalike.objects.network import Network, NetworkSubnet, Port
from novalike.objects.network_info import FixedIp, Subnet, Vif
from novalike.objects.router import DHCP

_LONGEST = 11                                    # of an id, in an interface name of at most 15 characters


def bridge(network_id: str) -> str:
    """Answer the name of a network's bridge on any host."""
    return f"nlb{network_id[:_LONGEST]}"


def tap(port_id: str) -> str:
    """Answer the name of a port's host side interface."""
    return f"tap{port_id[:_LONGEST]}"


def servers(session: Session, network_ids: Iterable[str]) -> dict[str, str]:
    """Answer, by subnet, the addresses which the DHCP ports of networks hold: where the gateway is not ours to be."""
    return ports.holding(session, network_ids, DHCP)


def server_of(subnet: NetworkSubnet, held: dict[str, str]) -> str | None:
    """Answer where a subnet's DHCP and metadata are served: at our DHCP port where there is one, else at the gateway."""
    return held.get(subnet.id) or subnet.gateway_ip


def build(session: Session, found: list[Port], known: Mapping[str, Network] | None = None) -> tuple[Vif, ...]:
    """Answer the VIFs of ports, in the same order; `known` networks need not be read again."""
    network_ids = {port.network_id for port in found}
    by_id = dict(known or {})
    if network_ids - by_id.keys():
        by_id |= {network.id: network for network in networks.by_ids(session, network_ids - by_id.keys())}
    subnets = networks.subnets_of(session, network_ids)
    held = servers(session, network_ids)
    floating: dict[tuple[str | None, str | None], tuple[str, ...]] = {}
    for one in floating_ips.of_ports(session, [port.id for port in found]):
        key = (one.port_id, one.fixed_ip_address)
        floating[key] = (*floating.get(key, ()), one.address)
    return tuple(_vif(port, by_id[port.network_id], subnets[port.network_id], held, floating) for port in found)


def _vif(
    port: Port, network: Network, subnets: list[NetworkSubnet], held: dict[str, str],
    floating: Mapping[tuple[str | None, str | None], tuple[str, ...]],
) -> Vif:
    used = {subnet_id for subnet_id, _ in port.fixed_ips}
    versions = {subnet.id: subnet.ip_version for subnet in subnets}
    return Vif(
        port_id=port.id, network_id=network.id, label=network.name, mac=port.mac_address, vif_type="bridge",
        bridge=bridge(network.id), tap=tap(port.id), mtu=network.mtu,
        fixed_ips=tuple(
            FixedIp(
                address=address, subnet_id=subnet_id, version=versions[subnet_id], floating=floating.get((port.id, address), ()),
            ) for subnet_id, address in port.fixed_ips
        ),
        subnets=tuple(_subnet(subnet, held) for subnet in subnets if subnet.id in used),
        security_groups=port.security_groups, owned=port.owned, tag=port.tag, nic=port.nic,
        status=port.status, limited=True,
    )


def _subnet(subnet: NetworkSubnet, held: dict[str, str]) -> Subnet:
    server = server_of(subnet, held)
    return Subnet(
        id=subnet.id, cidr=subnet.cidr, version=subnet.ip_version, gateway=subnet.gateway_ip,
        dhcp_server=server if subnet.enable_dhcp else None, address_mode=subnet.ipv6_address_mode, dns=subnet.dns_nameservers, routes=subnet.host_routes,
    )
