"""Networks, subnets, ports and security groups as our own network service keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network. `segment` is the VXLAN or VLAN identifier, None for flat ones. `physical_network` names a wire of the hosts;
    empty for networks of ours alone."""

    id: str
    project_id: str
    name: str
    description: str = ""
    admin_state_up: bool = True
    shared: bool = False
    external: bool = False
    is_default: bool = False
    port_security: bool = True
    mtu: int = 1500
    network_type: str = "flat"
    physical_network: str = ""
    segment: int | None = None
    dns_domain: str = ""
    zone_hints: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    revision_number: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSubnet:
    """A range of addresses of a network. Pools are (first, last), routes (destination, next hop)."""

    id: str
    network_id: str
    project_id: str
    name: str
    description: str = ""
    ip_version: int = 4
    cidr: str
    gateway_ip: str | None = None
    enable_dhcp: bool = True
    ipv6_ra_mode: str | None = None
    ipv6_address_mode: str | None = None
    allocation_pools: tuple[tuple[str, str], ...] = ()
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[tuple[str, str], ...] = ()
    subnetpool_id: str | None = None
    tags: tuple[str, ...] = ()
    revision_number: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port. Fixed addresses are (subnet id, address). `owned` and `nic` are set by server builds."""

    id: str
    network_id: str
    project_id: str
    name: str
    description: str = ""
    mac_address: str
    admin_state_up: bool = True
    port_security: bool = True
    status: str = "DOWN"
    device_id: str = ""
    device_owner: str = ""
    host: str = ""
    vnic_type: str = "normal"
    dns_name: str = ""
    owned: bool = False
    nic: int = 0
    tag: str | None = None
    profile: dict[str, object] | None = None
    address_pairs: tuple[tuple[str, str], ...] = ()   # (ip address or CIDR, MAC address)
    dhcp_options: tuple[tuple[str, str, int], ...] = ()   # (name, value, IP version)
    bandwidth: tuple[tuple[str, int], ...] = ()           # limits: (inbound_average | ..._peak | ..._burst, KiB/s or KiB)
    security_groups: tuple[str, ...] = ()
    fixed_ips: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    revision_number: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroupRule:
    """One thing that a security group lets pass. None means any."""

    id: str
    security_group_id: str
    project_id: str
    description: str = ""
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    revision_number: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A named set of rules. `default_of` is the project whose default group it is."""

    id: str
    project_id: str
    name: str
    description: str = ""
    stateful: bool = True
    default_of: str | None = None
    tags: tuple[str, ...] = ()
    rules: tuple[SecurityGroupRule, ...] = ()
    revision_number: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None
