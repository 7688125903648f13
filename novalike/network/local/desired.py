"""What a host must make true: asked by its agent through the conductor."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from novalike.db import network_hosts, networks, ports
from novalike.db.engine import Database
from novalike.network.local import vifs
from novalike.objects.network import Network, NetworkSubnet, Port
from novalike.objects.network_state import DesiredNetwork, DesiredNetworks, DesiredPort, DesiredSubnet


def fetch(database: Database, host: str, since: int) -> DesiredNetworks:
    """Answer a host's networks: all of them for `since` 0 or one which we never gave out, else those changed after it.

    Costs grow with what changed, and never with how many networks or ports the host or the cloud has.
    """
    return database.fetch(_fetch, host, since)


def _fetch(session: Session, host: str, since: int) -> DesiredNetworks:
    # Revision first: what changes between the two reads is then told twice rather than never.
    revision = network_hosts.revision(session, host)
    full = since <= 0 or since > revision
    if not full and since == revision:
        return DesiredNetworks(revision=revision, full=False)
    asked = network_hosts.networks_on(session, host) if full else network_hosts.changed_since(session, host, since)
    bound = ports.on_host(session, host, asked)
    here = [network_id for network_id in asked if bound[network_id]]
    return DesiredNetworks(
        revision=revision, full=full, networks=tuple(_networks(session, host, here, bound)),
        gone=() if full else tuple(network_id for network_id in asked if not bound[network_id]),
    )


def _networks(session: Session, host: str, network_ids: list[str], bound: dict[str, list[Port]]) -> Iterable[DesiredNetwork]:
    subnets = networks.subnets_of(session, network_ids)
    for network in networks.by_ids(session, network_ids):
        held = vifs.servers(session, [network.id])
        yield DesiredNetwork(
            id=network.id, bridge=vifs.bridge(network.id), mtu=network.mtu, segment=network.segment,
            peers=_peers(session, network, host), external=network.external, domain=network.dns_domain.rstrip("."),
            subnets=tuple(_subnet(subnet, held) for subnet in subnets[network.id]),
            ports=tuple(_port(port) for port in bound[network.id] if network.admin_state_up),
        )


def _peers(session: Session, network: Network, host: str) -> tuple[str, ...]:
    if network.segment is None:
        return ()
    others = [other for other in network_hosts.hosts_of(session, network.id) if other != host]
    return tuple(sorted(network_hosts.addresses(session, others).values()))


def _subnet(subnet: NetworkSubnet, held: dict[str, str]) -> DesiredSubnet:
    return DesiredSubnet(
        id=subnet.id, cidr=subnet.cidr, version=subnet.ip_version, gateway=subnet.gateway_ip,
        server=vifs.server_of(subnet, held), dhcp=subnet.enable_dhcp, mode=subnet.ipv6_ra_mode,
        dns=subnet.dns_nameservers, routes=subnet.host_routes,
    )


def _port(port: Port) -> DesiredPort:
    return DesiredPort(
        id=port.id, tap=vifs.tap(port.id), mac=port.mac_address, addresses=port.fixed_ips, hostname=port.dns_name,
        device_id=port.device_id, project_id=port.project_id, guarded=port.port_security, pairs=port.address_pairs,
    )
