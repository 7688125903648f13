"""What a network agent makes true on its host: the documents of rpc.conductor.DesiredState."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    routed: bool = False                         # a router is its gateway, and advertises it in IPv6


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredPort:
    """A port bound to the host. `guarded`: only these MAC and IP addresses may leave the tap (`pairs`: further ones), and only
    what its security groups let pass passes."""

    id: str
    tap: str
    mac: str
    addresses: tuple[tuple[str, str], ...] = ()  # (subnet id, address)
    hostname: str = ""
    device_id: str = ""
    project_id: str = ""
    guarded: bool = True
    pairs: tuple[tuple[str, str], ...] = ()      # (ip address or CIDR, MAC address)
    options: tuple[tuple[str, str, int], ...] = ()   # further DHCP options: (name, value, IP version)
    bandwidth: tuple[tuple[str, int], ...] = ()  # (inbound_average | ..._peak | ..._burst | outbound_..., KiB/s or KiB)
    groups: tuple[str, ...] = ()                 # security groups; without any, nothing but DHCP and the like passes
    up: bool = True                              # else nothing passes at all


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredNetwork:
    """A network which has ports on the host."""

    id: str
    bridge: str
    mtu: int = 1500
    kind: str = "flat"
    segment: int | None = None                   # VXLAN or VLAN identifier
    wire: str = ""                               # the physical network, by the name which [network] physical_interfaces knows
    peers: tuple[str, ...] = ()                  # VXLAN endpoints of the other hosts with ports in it
    external: bool = False
    routed: bool = False                         # a router is its gateway: its namespace is no way out
    domain: str = ""
    subnets: tuple[DesiredSubnet, ...] = ()
    ports: tuple[DesiredPort, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredRule:
    """One thing that a security group lets pass. None means any; a remote is a CIDR or a security group's members."""

    direction: str                               # ingress, egress
    version: int = 4
    protocol: str | None = None                  # as Neutron names it, or a number
    first: int | None = None                     # port, or ICMP type
    last: int | None = None                      # port, or ICMP code
    prefix: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredGroup:
    """A security group which ports of the host are in. `stateful`: answers to what was let pass are let pass."""

    id: str
    revision: int
    stateful: bool = True
    rules: tuple[DesiredRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredMembers:
    """The addresses (and CIDRs) of a security group's ports, wherever they are: of a group which rules name as their remote."""

    id: str
    revision: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGroups:
    """Revisions of what an agent knows of security groups, by group: their rules, and their members."""

    rules: dict[str, int] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredLeg:
    """One port of a router. `addresses` are (address, CIDR of its subnet)."""

    id: str
    network_id: str
    bridge: str
    mac: str
    mtu: int = 1500
    addresses: tuple[tuple[str, str], ...] = ()
    external: bool = False
    advertised: tuple[tuple[str, str, tuple[str, ...]], ...] = ()   # IPv6: (CIDR, mode, name servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredRouter:
    """A router which runs on the host. `floating` are (floating address, fixed address); `snat` says whether others of its
    networks reach the outside by its own address there."""

    id: str
    project_id: str = ""
    legs: tuple[DesiredLeg, ...] = ()
    gateways: tuple[str, ...] = ()               # next hops on the external network, one per IP version
    snat: bool = True
    floating: tuple[tuple[str, str], ...] = ()
    routes: tuple[tuple[str, str], ...] = ()     # (destination, next hop)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredNetworks:
    """The answer of DesiredState.network; see there. `gone` are ids of networks and of routers. `others` says whether there are
    agents which could take this host's routers over; None: as before."""

    revision: int
    full: bool
    networks: tuple[DesiredNetwork, ...] = ()
    routers: tuple[DesiredRouter, ...] = ()
    gone: tuple[str, ...] = ()
    groups: tuple[DesiredGroup, ...] = ()
    members: tuple[DesiredMembers, ...] = ()
    others: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The server of whose port a request for metadata came."""

    instance_uuid: str
    project_id: str
