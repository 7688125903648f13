"""Routers, floating addresses and subnet pools as our own network service keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

#: Device owners of the ports of network services: of our DHCP server, of routers, and of what holds a floating address.
DHCP = "network:dhcp"
INTERFACE, GATEWAY, FLOATING = "network:router_interface", "network:router_gateway", "network:floatingip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A router. `network_id` is the external network its gateway is on, and `gateway_ips` what it has there."""

    id: str
    project_id: str
    name: str
    description: str = ""
    admin_state_up: bool = True
    network_id: str | None = None
    enable_snat: bool = True
    gateway_ips: tuple[tuple[str, str], ...] = ()     # (subnet id, address)
    routes: tuple[tuple[str, str], ...] = ()          # (destination, next hop)
    zone_hints: tuple[str, ...] = ()
    host: str = ""
    tags: tuple[str, ...] = ()
    revision_number: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatingIp:
    """An address of an external network, which leads to a fixed address of a port when it has one."""

    id: str
    project_id: str
    description: str = ""
    network_id: str
    address: str
    address_port_id: str
    port_id: str | None = None
    fixed_ip_address: str | None = None
    router_id: str | None = None
    tags: tuple[str, ...] = ()
    revision_number: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def status(self) -> str:
        """ACTIVE while it leads to a port."""
        return "ACTIVE" if self.router_id else "DOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetPool:
    """Prefixes which subnets are cut from."""

    id: str
    project_id: str
    name: str
    description: str = ""
    ip_version: int
    prefixes: tuple[str, ...]
    min_prefixlen: int
    max_prefixlen: int
    default_prefixlen: int
    default_quota: int | None = None
    shared: bool = False
    is_default: bool = False
    tags: tuple[str, ...] = ()
    revision_number: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None
