"""Networks as a server, its guest and its hypervisor see them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """One subnet of a VIF's network. Routes are (destination CIDR, next hop); `address_mode` is how guests come to addresses in
    IPv6 (slaac, dhcpv6-stateless, dhcpv6-stateful)."""

    id: str
    cidr: str
    version: int = 4
    gateway: str | None = None
    dhcp_server: str | None = None
    address_mode: str | None = None
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedIp:
    """An address of a port; `floating` are the public addresses which reach it."""

    address: str
    subnet_id: str
    version: int = 4
    floating: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vif:
    """A port of a server, with all that is needed to plug it and to tell the guest about it.

    `owned` is True when the server's own build made the port, so that its end deletes it; a port which a user brought
    is only unbound. `bridge` is the Linux bridge on the host, `tap` the host side interface; `vif_type` as in Neutron
    (`bridge`, `ovs`, `unbound`). `nic` is its place among the server's ports; `status` is what the network service says of it
    (ACTIVE, DOWN, BUILD), known where it was just asked; `plugging` that it plugs the port when the guest is there, and then says so. `limited` says that the network service sees to the bandwidth limits of the
    server's flavor; else the hypervisor must.
    """

    port_id: str
    network_id: str
    label: str                      # the network's name: the key of `addresses`
    mac: str
    vif_type: str = "bridge"
    bridge: str | None = None
    tap: str | None = None
    mtu: int = 1500
    fixed_ips: tuple[FixedIp, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    security_groups: tuple[str, ...] = ()
    owned: bool = True
    tag: str | None = None
    nic: int = 0
    status: str = ""
    plugging: bool = False
    limited: bool = False
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundPort:
    """A port as the network service lists it. `instance_uuid` is empty unless it is a server's; `ours` says that we bound it."""

    port_id: str
    instance_uuid: str = ""
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedNetwork:
    """One network, port or address which the caller asked for and was authorized to use, in NIC order."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


#: The project's own network, which is made on demand when the first server needs it: what `networks: "auto"` asks for where the
#: project has none.
ON_DEMAND = RequestedNetwork(network_id="auto")
