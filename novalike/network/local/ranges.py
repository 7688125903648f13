"""Arithmetic of subnets: what a range, its gateway and its pools may be. Pure."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Sequence

from novalike.network import errors

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Pools = tuple[tuple[str, str], ...]


def network(cidr: str, version: int) -> IpNetwork:
    """Answer the range of a CIDR, host bits cut off. Raises InvalidInput."""
    try:
        found = ipaddress.ip_network(cidr, strict=False)
    except ValueError as error:
        raise errors.InvalidInput(f"'{cidr}' is not a valid CIDR.") from error
    if found.version != version:
        raise errors.InvalidInput(f"cidr '{cidr}' does not match the ip_version '{version}'")
    if found.prefixlen == 0 or found.is_multicast or found.is_loopback:
        raise errors.InvalidInput(f"'{cidr}' is not allowed as a subnet's range.")
    return found


def address(text: str, what: str) -> IpAddress:
    """Answer an address. Raises InvalidInput, naming what it was for."""
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise errors.InvalidInput(f"'{text}' is not a valid IP address ({what}).") from error


def usable(subnet: IpNetwork, candidate: IpAddress) -> bool:
    """Tell whether a host may have the address: in the range, and neither its network nor its broadcast address."""
    if candidate.version != subnet.version or candidate not in subnet:
        return False
    if subnet.version == 4:
        return subnet.prefixlen >= 31 or candidate not in (subnet.network_address, subnet.broadcast_address)
    return subnet.prefixlen >= 127 or candidate != subnet.network_address


def overlapping(candidate: IpNetwork, others: Iterable[str]) -> str | None:
    """Answer the first of the CIDRs which shares addresses with the candidate."""
    return next((
        cidr for cidr in others
        if (other := ipaddress.ip_network(cidr)).version == candidate.version and other.overlaps(candidate)
    ), None)


def first_free(span: IpNetwork, length: int, others: Iterable[str]) -> IpNetwork | None:
    """Answer the first part of a range with that prefix length which overlaps none of the CIDRs; None when all do."""
    size, candidate, last = 1 << (span.max_prefixlen - length), int(span.network_address), int(span.broadcast_address)
    parsed = (ipaddress.ip_network(cidr) for cidr in others)
    taken = sorted((int(one.network_address), int(one.broadcast_address)) for one in parsed if one.version == span.version)
    for low, high in taken:
        if high >= candidate and low < candidate + size:
            candidate = (high // size + 1) * size
    return None if candidate + size - 1 > last else ipaddress.ip_network((candidate, length))


def first(subnet: IpNetwork) -> str:
    """Answer the gateway a subnet gets when none is named: its first address."""
    return str(subnet.network_address + (0 if subnet.num_addresses <= 2 else 1))


def gateway(subnet: IpNetwork, text: str) -> str:
    """Check a gateway and answer it in its usual form. Raises InvalidInput."""
    found = address(text, "gateway_ip")
    if not usable(subnet, found) and not (found.version == 6 and found.is_link_local):
        raise errors.InvalidInput(f"Gateway {text} is not valid on subnet {subnet}.")
    return str(found)


def default_pools(subnet: IpNetwork, gateway_ip: str | None) -> Pools:
    """Answer the pools of a subnet for which none were named: all usable addresses but the gateway."""
    start, end = int(subnet.network_address), int(subnet.broadcast_address)
    if subnet.version == 4 and subnet.prefixlen < 31:
        start, end = start + 1, end - 1
    elif subnet.version == 6 and subnet.prefixlen < 127:
        start += 1
    kind = type(subnet.network_address)
    spans = [(start, end)]
    if gateway_ip is not None and start <= (taken := int(ipaddress.ip_address(gateway_ip))) <= end:
        spans = [(start, taken - 1), (taken + 1, end)]
    return tuple((str(kind(low)), str(kind(high))) for low, high in spans if low <= high)


def pools(subnet: IpNetwork, given: Sequence[tuple[str, str]], gateway_ip: str | None) -> Pools:
    """Check pools and answer them sorted. Raises the pool errors of network.errors."""
    spans = []
    for start_text, end_text in given:
        start, end = address(start_text, "allocation_pools"), address(end_text, "allocation_pools")
        if start.version != subnet.version or end.version != subnet.version or int(start) > int(end):
            raise errors.InvalidAllocationPool(f"The allocation pool {start}-{end} is not valid.")
        if not usable(subnet, start) or not usable(subnet, end):
            raise errors.OutOfBoundsAllocationPool(f"The allocation pool {start}-{end} spans beyond the subnet cidr {subnet}.")
        spans.append((int(start), int(end), str(start), str(end)))
    spans.sort()
    for (_, previous_end, *previous), (following_start, _, *following) in itertools.pairwise(spans):
        if following_start <= previous_end:
            raise errors.OverlappingAllocationPools(
                f"Found overlapping allocation pools: {'-'.join(previous)}, {'-'.join(following)} for subnet {subnet}.",
            )
    if gateway_ip is not None:
        taken = int(ipaddress.ip_address(gateway_ip))
        for low, high, start_text, end_text in spans:
            if low <= taken <= high:
                raise errors.GatewayConflictWithAllocationPools(
                    f"Gateway ip {gateway_ip} conflicts with allocation pool {start_text}-{end_text}.",
                )
    return tuple((start_text, end_text) for _, _, start_text, end_text in spans)


def by_mac(subnet: IpNetwork, mac: str) -> str:
    """Answer the IPv6 address a guest gives itself in a /64 (modified EUI-64)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(ipaddress.IPv6Address(int(subnet.network_address) | int.from_bytes(identifier, "big")))
