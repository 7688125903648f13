"""Which address a port gets. Every function runs inside a change whose transaction holds the locks of the subnets."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from novalike.db import networks, ports, routers
from novalike.network import errors
from novalike.network.local import ranges
from novalike.network.local.store import Change
from novalike.objects.network import NetworkSubnet, Port
from novalike.objects.router import DHCP

#: Modes in which hosts make their addresses themselves, of their MAC addresses.
SELF_MADE = ("slaac", "dhcpv6-stateless")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAddress:
    """What a caller said of one address: both, one or (for all in a list) neither."""

    subnet_id: str | None = None
    address: str | None = None


def mac(base: str) -> str:
    """Answer a MAC address. Should a port of the network have it, the insert fails and the whole change runs again."""
    return f"{base}:{':'.join(f'{octet:02x}' for octet in secrets.token_bytes(3))}"


def choose(
    change: Change, network_id: str, mac_address: str, wanted: Sequence[WantedAddress] | None, *, kept: Sequence[tuple[str, str]] = (),
    automatic: bool = False,
) -> tuple[tuple[str, str], ...]:
    """Answer the addresses (subnet id, address) for a port; None means one of each IP version the network has.

    `kept` are addresses the port holds already, which it may keep. With `automatic` it has the addresses which guests make
    themselves of router advertisements in any case. Locks the network's subnets. Raises
    IpAddressGenerationFailure, IpAddressAlreadyAllocated, InvalidIpForNetwork, InvalidIpForSubnet, InvalidInput.
    """
    locked = networks.lock_subnets_of(change.session, network_id)
    subnets = [subnet for subnet, _ in locked]
    if wanted is None:
        return _usual(change, network_id, mac_address, locked)
    chosen: list[tuple[str, str]] = []
    for want in wanted:
        subnet = _subnet_of(network_id, subnets, want)
        if want.address is not None:
            fixed = (subnet.id, str(ranges.address(want.address, "fixed_ips")))
            if fixed not in kept:
                _check_free(change, subnet, fixed[1], chosen)
        else:
            held = next((k for k in kept if k[0] == subnet.id and k not in chosen), None)
            fixed = held or (subnet.id, _next(change, network_id, mac_address, [subnet]))
        if fixed in chosen:
            raise errors.InvalidInput("Duplicate IP addresses in fixed_ips.")
        chosen.append(fixed)
    if automatic:
        chosen += [made for made in _self_made(subnets, mac_address) if made[0] not in {subnet_id for subnet_id, _ in chosen}]
    return tuple(chosen)


def give_self_made(change: Change, subnet: NetworkSubnet) -> None:
    """Give the ports which are there the addresses which their guests make themselves of a new subnet's advertisements."""
    if subnet.ipv6_address_mode not in SELF_MADE:
        return
    for port in ports.of_network(change.session, subnet.network_id):
        if not port.device_owner.startswith("network:"):
            ports.add_addresses(change.session, port, _self_made([subnet], port.mac_address))
            change.touch_port(port)
            change.touch_port(ports.get(change.session, port.id))
            change.touch_server(port)


def _self_made(subnets: Iterable[NetworkSubnet], mac_address: str) -> list[tuple[str, str]]:
    """Answer the addresses which a guest with this MAC address makes itself."""
    return [
        (subnet.id, ranges.by_mac(ranges.network(subnet.cidr, 6), mac_address))
        for subnet in subnets if subnet.ipv6_address_mode in SELF_MADE
    ]


def _usual(
    change: Change, network_id: str, mac_address: str, locked: list[tuple[NetworkSubnet, str]],
) -> tuple[tuple[str, str], ...]:
    chosen: list[tuple[str, str]] = []
    for version in (4, 6):
        candidates = [(subnet, cursor) for subnet, cursor in locked if subnet.ip_version == version]
        chosen += _self_made((subnet for subnet, _ in candidates), mac_address)
        managed = [(subnet, cursor) for subnet, cursor in candidates if subnet.ipv6_address_mode not in SELF_MADE]
        if not managed:
            continue
        for subnet, cursor in managed:
            found = ports.next_address(change.session, subnet, cursor)
            if found is not None:
                chosen.append((subnet.id, found))
                break
        else:
            raise _exhausted(network_id)
    return tuple(chosen)


def _next(change: Change, network_id: str, mac_address: str, subnets: list[NetworkSubnet]) -> str:
    for subnet in subnets:
        if subnet.ipv6_address_mode in SELF_MADE:
            return ranges.by_mac(ranges.network(subnet.cidr, 6), mac_address)
        found = ports.next_address(change.session, subnet)
        if found is not None:
            return found
    raise _exhausted(network_id)


def _exhausted(network_id: str) -> errors.IpAddressGenerationFailure:
    return errors.IpAddressGenerationFailure(f"No more IP addresses available on network {network_id}.")


def _subnet_of(network_id: str, subnets: list[NetworkSubnet], want: WantedAddress) -> NetworkSubnet:
    if want.subnet_id is not None:
        subnet = next((s for s in subnets if s.id == want.subnet_id), None)
        if subnet is None:
            raise errors.InvalidInput(
                f"Failed to create port on network {network_id}, because fixed_ips included invalid subnet {want.subnet_id}.",
            )
        return subnet
    if want.address is None:
        raise errors.InvalidInput("IP allocation requires subnet_id or ip_address")
    found = ranges.address(want.address, "fixed_ips")
    for subnet in subnets:
        if found in ranges.network(subnet.cidr, subnet.ip_version):
            return subnet
    raise errors.InvalidIpForNetwork(
        f"IP address {want.address} is not a valid IP for any of the subnets on the specified network.",
    )


def _check_free(change: Change, subnet: NetworkSubnet, address: str, chosen: list[tuple[str, str]]) -> None:
    if not ranges.usable(ranges.network(subnet.cidr, subnet.ip_version), ranges.address(address, "fixed_ips")):
        raise errors.InvalidIpForSubnet(f"IP address {address} is not a valid IP for the specified subnet.")
    if address == subnet.gateway_ip or ports.holder(change.session, subnet.id, address) is not None or (subnet.id, address) in chosen:
        raise errors.IpAddressAlreadyAllocated(f"IP address {address} already allocated in subnet {subnet.id}")


def give_servers(change: Change, network_id: str) -> None:
    """Give our DHCP server an address in every subnet with DHCP whose gateway is not ours to be, and free those not needed
    any more.

    Where nobody else is the gateway, its address serves DHCP as well; else (there is none, a router is it, or one beyond a
    physical network) the addresses stand on a port of the network service's own.
    """
    session = change.session
    network = networks.get(session, network_id)
    subnets = networks.subnets_of(session, [network_id])[network_id]
    held_by_routers = routers.held_gateways(session, [network_id])
    needed = {
        s.id for s in subnets if s.enable_dhcp and s.ipv6_address_mode not in SELF_MADE
        and (s.gateway_ip is None or network.physical_network or (s.id, s.gateway_ip) in held_by_routers)
    }
    own = ports.of_network(session, network_id, owner=DHCP)
    held = {subnet_id: (port, address) for port in own for subnet_id, address in port.fixed_ips}
    for subnet_id in held.keys() - needed:
        port, address = held[subnet_id]
        ports.remove_addresses(session, port.id, [(subnet_id, address)])
        if all(fixed[0] not in needed for fixed in port.fixed_ips):
            ports.delete(session, [port.id])
    missing = sorted(needed - held.keys())
    if not missing:
        return
    locked = networks.lock_subnets(session, missing)
    fixed = tuple((subnet_id, _next(change, network_id, "", [locked[subnet_id]])) for subnet_id in missing)
    remaining = [port for port in own if any(f[0] in needed for f in port.fixed_ips)]
    if remaining:
        ports.add_addresses(session, remaining[0], fixed)
        return
    ports.insert(session, Port(
        id=str(uuid.uuid4()), network_id=network_id, project_id=network.project_id, name="", port_security=False,
        mac_address=mac("fa:16:3e"), status="ACTIVE", device_owner=DHCP,
        device_id=f"dhcp-{network_id}"[:255], fixed_ips=fixed,
    ), change.now)
