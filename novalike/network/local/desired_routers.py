"""What routers a host must have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy.orm import Session

from novalike.db import floating_ips, networks, ports, routers
from novalike.network.local import vifs
from novalike.objects.network import Network, NetworkSubnet, Port
from novalike.objects.network_state import DesiredLeg, DesiredRouter
from novalike.objects.router import GATEWAY, INTERFACE, Router


def on_host(session: Session, host: str, only: Collection[str] | None) -> tuple[DesiredRouter, ...]:
    """Answer a host's routers, or those of them with one of the ids. Those which are switched off are none."""
    found = [router for router in routers.on_host(session, host) if (only is None or router.id in only) and router.admin_state_up]
    return tuple(_router(session, router) for router in found)


def _router(session: Session, router: Router) -> DesiredRouter:
    legs = [port for port in ports.of_device(session, router.id) if port.device_owner in (INTERFACE, GATEWAY) and port.admin_state_up]
    known = {network.id: network for network in networks.by_ids(session, [leg.network_id for leg in legs])}
    subnets = {subnet.id: subnet for many in networks.subnets_of(session, known).values() for subnet in many}
    outer = {subnet_id for subnet_id, _ in router.gateway_ips}
    return DesiredRouter(
        id=router.id, project_id=router.project_id, snat=router.enable_snat, routes=router.routes,
        legs=tuple(_leg(leg, known[leg.network_id], subnets) for leg in legs),
        gateways=tuple(gateway for subnet_id in sorted(outer) if (gateway := subnets[subnet_id].gateway_ip)),
        floating=tuple(sorted((one.address, one.fixed_ip_address or "") for one in floating_ips.of_router(session, router.id))),
    )


def _leg(port: Port, network: Network, subnets: Mapping[str, NetworkSubnet]) -> DesiredLeg:
    inner = port.device_owner == INTERFACE
    return DesiredLeg(
        id=port.id, network_id=port.network_id, bridge=vifs.bridge(port.network_id), mac=port.mac_address, mtu=network.mtu,
        external=not inner, addresses=tuple((address, subnets[subnet_id].cidr) for subnet_id, address in port.fixed_ips),
        advertised=tuple(
            (subnet.cidr, subnet.ipv6_ra_mode, subnet.dns_nameservers) for subnet_id, address in port.fixed_ips
            if inner and (subnet := subnets[subnet_id]).ip_version == 6 and subnet.ipv6_ra_mode and address == subnet.gateway_ip
        ),
    )
