"""What a network agent makes true on its host: the documents of rpc.conductor.DesiredState."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredSubnet:
    """A subnet as a host serves it. `server` is the address of the network's namespace in it (the gateway, if it has one)."""

    id: str
    cidr: str
    version: int = 4
    gateway: str | None = None
    server: str | None = None
    dhcp: bool = True
    mode: str | None = None                      # IPv6: slaac, dhcpv6-stateless, dhcpv6-stateful; None: not advertised
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()     # (destination, next hop)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredPort:
    """A port bound to the host. `guarded`: only these MAC and IP addresses may leave the tap (`pairs`: further ones)."""

    id: str
    tap: str
    mac: str
    addresses: tuple[tuple[str, str], ...] = ()  # (subnet id, address)
    hostname: str = ""
    device_id: str = ""
    project_id: str = ""
    guarded: bool = True
    pairs: tuple[tuple[str, str], ...] = ()      # (ip address or CIDR, MAC address)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredNetwork:
    """A network which has ports on the host."""

    id: str
    bridge: str
    mtu: int = 1500
    segment: int | None = None                   # VXLAN identifier
    peers: tuple[str, ...] = ()                  # VXLAN endpoints of the other hosts with ports in it
    external: bool = False
    domain: str = ""
    subnets: tuple[DesiredSubnet, ...] = ()
    ports: tuple[DesiredPort, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredNetworks:
    """The answer of DesiredState.network; see there."""

    revision: int
    full: bool
    networks: tuple[DesiredNetwork, ...] = ()
    gone: tuple[str, ...] = ()
