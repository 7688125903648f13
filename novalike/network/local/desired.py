"""What a host must make true: asked by its agent through the conductor."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from novalike.clock import Clock
from novalike.db import network_hosts, networks, ports, routers, security_groups
from novalike.db.engine import Database
from novalike.network.local import desired_routers, vifs
from novalike.network.local.routers import adopt
from novalike.network.local.store import Change
from novalike.objects.network import Network, NetworkSubnet, Port, SecurityGroupRule
from novalike.objects.network_state import (
    Asker,
    DesiredGroup,
    DesiredMembers,
    DesiredNetwork,
    DesiredNetworks,
    DesiredPort,
    DesiredRule,
    DesiredSubnet,
    KnownGroups,
)


def fetch(
    database: Database, host: str, since: int, known: KnownGroups | None = None, clock: Clock | None = None,
) -> DesiredNetworks:
    """Answer a host's networks and routers: all of them for `since` 0 or one which we never gave out, else those changed after
    it; and the security groups of their ports which are not `known` as they are. A host which asks for everything (an agent
    that starts, or looks around) takes routers over which run nowhere yet.

    Costs grow with what changed, and never with how many networks or ports the host or the cloud has.
    """
    if since <= 0 and database.fetch(routers.any_homeless):
        database.write(_adopt, host, clock or Clock())
    return database.fetch(_fetch, host, since, known or KnownGroups())


def asker(session: Session, network_id: str, address: str) -> Asker | None:
    """Answer whose server has an address of a network, wherever it runs; None when nobody's has."""
    port = ports.at_address(session, network_id, address)
    if port is None or not port.device_owner.startswith("compute:"):
        return None
    return Asker(instance_uuid=port.device_id, project_id=port.project_id)


def _adopt(session: Session, host: str, clock: Clock) -> None:
    change = Change(session, clock.now())
    adopt(change, host)
    network_hosts.touch(session, change.touched)


def _fetch(session: Session, host: str, since: int, known: KnownGroups) -> DesiredNetworks:
    # Revision first: what changes between the two reads is then told twice rather than never.
    revision = network_hosts.revision(session, host)
    full = since <= 0 or since > revision
    if not full and since == revision:
        groups, members = _groups(session, (), known)
        return DesiredNetworks(revision=revision, full=False, groups=groups, members=members)
    asked = network_hosts.networks_on(session, host) if full else network_hosts.changed_since(session, host, since)
    bound = ports.on_host(session, host, asked)
    here = [network_id for network_id in asked if bound[network_id]]
    routing = desired_routers.on_host(session, host, None if full else asked)
    present = {*here, *(router.id for router in routing)}
    groups, members = _groups(session, (port for found in bound.values() for port in found), KnownGroups() if full else known)
    return DesiredNetworks(
        revision=revision, full=full, networks=tuple(_networks(session, host, here, bound)), routers=routing,
        gone=() if full else tuple(key for key in asked if key not in present),
        groups=groups, members=members,
    )


def _groups(session: Session, found: Iterable[Port], known: KnownGroups) -> tuple[tuple[DesiredGroup, ...], tuple[DesiredMembers, ...]]:
    """Answer the groups of ports and of those known before, and the members of groups which these name: what is new of it.

    Revisions are read first here, too: what changes after that is answered under an old one, and so again next time.
    """
    wanted = {group_id for port in found for group_id in port.security_groups}
    revisions = security_groups.revisions(session, wanted | known.rules.keys() | known.members.keys())
    stale = [g for g in wanted | known.rules.keys() if g in revisions and revisions[g].rules != known.rules.get(g)]
    changed = security_groups.by_ids(session, stale) if stale else []
    remotes = {rule.remote_group_id for group in changed for rule in group.rules if rule.remote_group_id}
    revisions |= security_groups.revisions(session, remotes - revisions.keys())
    moved = [g for g in remotes | known.members.keys() if g in revisions and revisions[g].members != known.members.get(g)]
    addresses = security_groups.members(session, moved)
    return (
        tuple(DesiredGroup(
            id=group.id, revision=revisions[group.id].rules, stateful=group.stateful,
            rules=tuple(_rule(rule) for rule in group.rules),
        ) for group in changed),
        tuple(DesiredMembers(id=g, revision=revisions[g].members, addresses=addresses[g]) for g in moved),
    )


def _rule(rule: SecurityGroupRule) -> DesiredRule:
    return DesiredRule(
        direction=rule.direction, version=6 if rule.ethertype == "IPv6" else 4, protocol=rule.protocol,
        first=rule.port_range_min, last=rule.port_range_max, prefix=rule.remote_ip_prefix, group=rule.remote_group_id,
    )


def _networks(session: Session, host: str, network_ids: list[str], bound: dict[str, list[Port]]) -> Iterable[DesiredNetwork]:
    subnets = networks.subnets_of(session, network_ids)
    for network in networks.by_ids(session, network_ids):
        held, by_routers = vifs.servers(session, [network.id]), routers.held_gateways(session, [network.id])
        shown = tuple(_subnet(network, subnet, held, by_routers) for subnet in subnets[network.id])
        yield DesiredNetwork(
            id=network.id, bridge=vifs.bridge(network.id), mtu=network.mtu, segment=network.segment, kind=network.network_type,
            wire=network.physical_network, peers=_peers(session, network, host), external=network.external,
            routed=any(subnet.routed for subnet in shown), domain=network.dns_domain.rstrip("."), subnets=shown,
            ports=tuple(_port(network, port) for port in bound[network.id] if not port.device_owner.startswith("network:")),
        )


def _peers(session: Session, network: Network, host: str) -> tuple[str, ...]:
    if network.network_type != "vxlan":
        return ()
    others = [other for other in network_hosts.hosts_of(session, network.id) if other != host]
    return tuple(sorted(network_hosts.addresses(session, others).values()))


def _subnet(network: Network, subnet: NetworkSubnet, held: dict[str, str], by_routers: set[tuple[str, str]]) -> DesiredSubnet:
    routed = subnet.gateway_ip is not None and (subnet.id, subnet.gateway_ip) in by_routers
    elsewhere = routed or bool(network.physical_network)     # whose gateway is not the network's namespace
    return DesiredSubnet(
        id=subnet.id, cidr=subnet.cidr, version=subnet.ip_version, gateway=subnet.gateway_ip, routed=routed,
        server=held.get(subnet.id) if elsewhere else vifs.server_of(subnet, held), dhcp=subnet.enable_dhcp, mode=subnet.ipv6_ra_mode,
        dns=subnet.dns_nameservers, routes=subnet.host_routes,
    )


def _port(network: Network, port: Port) -> DesiredPort:
    return DesiredPort(
        id=port.id, tap=vifs.tap(port.id), mac=port.mac_address, addresses=port.fixed_ips, hostname=port.dns_name,
        device_id=port.device_id, project_id=port.project_id, guarded=port.port_security, pairs=port.address_pairs,
        options=port.dhcp_options, bandwidth=port.bandwidth,
        groups=port.security_groups, up=port.admin_state_up and network.admin_state_up,
    )
