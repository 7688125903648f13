"""Nova's network info cache of a server: its ports, as it last knew them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from novalike.manage.import_nova import versioned
from novalike.objects.network_info import FixedIp, Subnet, Vif


def vifs(cache: str | None, tags: Mapping[str, str]) -> tuple[Vif, ...]:
    """Answer the ports in a cache; `tags` are those which the user gave to them, by port id."""
    found = versioned.data(cache) or []
    return tuple(_vif(port, nic, tags.get(port["id"])) for nic, port in enumerate(found))


def _vif(port: dict[str, Any], nic: int, tag: str | None) -> Vif:
    network = port.get("network") or {}
    subnets = network.get("subnets") or []
    meta = network.get("meta") or {}
    return Vif(
        port_id=port["id"], network_id=network.get("id") or "", label=network.get("label") or "", mac=port.get("address") or "",
        vif_type=port.get("type") or "unbound", bridge=network.get("bridge"), tap=port.get("devname") or f"tap{port['id'][:11]}",
        mtu=meta.get("mtu") or 1500, subnets=tuple(subnet for subnet in map(_subnet, subnets) if subnet is not None),
        fixed_ips=tuple(
            FixedIp(
                address=ip["address"], subnet_id=subnet.get("id") or "", version=ip.get("version") or 4,
                floating=tuple(one["address"] for one in ip.get("floating_ips") or ()),
            ) for subnet in subnets for ip in subnet.get("ips") or () if ip.get("type", "fixed") == "fixed"
        ),
        # Nova keeps what its user brought.
        owned=not port.get("preserve_on_delete", False), tag=tag, nic=nic, status="ACTIVE" if port.get("active", True) else "DOWN",
        details={name: str(value) for name, value in (port.get("details") or {}).items()},
    )


def _subnet(subnet: dict[str, Any]) -> Subnet | None:
    if not subnet.get("cidr"):
        return None
    meta = subnet.get("meta") or {}
    return Subnet(
        id=subnet.get("id") or "", cidr=subnet["cidr"], version=subnet.get("version") or 4, gateway=(subnet.get("gateway") or {}).get("address"),
        dhcp_server=meta.get("dhcp_server"), dns=tuple(one["address"] for one in subnet.get("dns") or ()),
        routes=tuple((one["cidr"], (one.get("gateway") or {}).get("address") or "") for one in subnet.get("routes") or ()),
    )
