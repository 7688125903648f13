"""Networks and floating addresses in the words of nova-network."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request
from novalike.objects.floating import FloatingAddress, NamedNetwork

#: What was shown of networks; nearly all of it is unknown to those of today.
_FIELDS = ("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6", "netmask_v6")
_ADMIN_FIELDS = (
    "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address", "vpn_public_port", "vpn_private_address", "dhcp_start", "host",
    "bridge_interface", "multi_host", "priority", "rxtx_base", "dhcp_server", "enable_dhcp", "share_address",
)


def network(request: Request, found: NamedNetwork) -> dict[str, Any]:
    """Answer a network; administrators see more fields."""
    view: dict[str, Any] = {**dict.fromkeys(_FIELDS), "id": found.id, "label": found.name}
    if request.context.is_admin:
        view |= {
            **dict.fromkeys(_ADMIN_FIELDS), "project_id": found.project_id, "mtu": found.mtu, "created_at": _moment(found.created_at),
            "updated_at": _moment(found.updated_at),
        }
    return view


def _moment(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value.replace(microsecond=0).isoformat()) + "Z"


def tenant_network(found: NamedNetwork) -> dict[str, Any]:
    """Answer a network as /os-tenant-networks has it: the range is the word None, as Nova says it."""
    return {"id": found.id, "cidr": str(None), "label": found.name}


def floating(found: FloatingAddress) -> dict[str, Any]:
    """Answer a floating address."""
    return {"id": found.id, "ip": found.address, "pool": found.pool, "fixed_ip": found.fixed_address, "instance_id": found.server}
