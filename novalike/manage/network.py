"""`novalike-manage network`: networks of the local network service, as nova-manage made them, without an API."""

from __future__ import annotations

import argparse
from typing import Any

from novalike.clock import Clock
from novalike.context import RequestContext
from novalike.db.network_listing import Listing
from novalike.manage.command import Command, Session
from novalike.network.local.addresses import WantedAddress
from novalike.network.local.service import LocalNetworks
from novalike.network.local.usage import SubnetUsage
from novalike.objects.network import Network

COLUMNS = ("id", "name", "project", "type", "segment", "external", "shared", "subnet", "used", "total")
RESERVED = "reserved"


def _service(session: Session) -> tuple[LocalNetworks, RequestContext]:
    return LocalNetworks(session.conf, session.cells, Clock()), RequestContext(
        user_id="novalike-manage", project_id=session.arguments.project if "project" in session.arguments else None,
        roles=("admin",), is_admin=True,
    )


def create(session: Session) -> int:
    """Make a network with a subnet."""
    local, ctxt = _service(session)
    wanted = session.arguments
    values: dict[str, Any] = {
        "name": wanted.name, "project_id": wanted.project, "shared": wanted.shared, "external": wanted.external, "is_default": wanted.default,
        **({"network_type": wanted.type} if wanted.type else {}), **({"physical_network": wanted.wire} if wanted.wire else {}),
        **({"segment": wanted.segment} if wanted.segment else {}),
    }
    network = local.networks.create(ctxt, [values])[0]
    subnet: dict[str, Any] = {
        "network_id": network.id, "name": wanted.name, "cidr": wanted.range, "ip_version": 6 if ":" in wanted.range else 4,
        "project_id": wanted.project, "enable_dhcp": not wanted.external, "dns_nameservers": tuple(wanted.dns or ()),
        **({"gateway_ip": wanted.gateway} if wanted.gateway else {}),
        **({"allocation_pools": [tuple(wanted.pool.split("-", 1))]} if wanted.pool else {}),
    }
    try:
        local.subnets.create(ctxt, [subnet])
    except Exception:
        local.networks.delete(ctxt, network.id)      # a network without its subnet is not what was asked for
        raise
    session.output.values({"network": network.id})
    return 0


def show(session: Session) -> int:
    """List networks, a line for each subnet."""
    local, _ = _service(session)
    rows: list[dict[str, Any]] = []
    for network, usage in local.availability.of(Listing()):
        rows += [_row(network, one) for one in usage] or [_row(network, None)]
    session.output.rows(COLUMNS, rows, empty="There are no networks.")
    return 0


def _row(network: Network, usage: SubnetUsage | None) -> dict[str, Any]:
    return {
        "id": network.id, "name": network.name, "project": network.project_id, "type": network.network_type, "segment": network.segment,
        "external": network.external, "shared": network.shared, "subnet": usage.subnet.cidr if usage else None,
        "used": usage.used if usage else 0, "total": usage.total if usage else 0,
    }


def delete(session: Session) -> int:
    """Remove a network which nobody uses."""
    local, ctxt = _service(session)
    local.networks.delete(ctxt, session.arguments.network)
    session.output.values({"removed": session.arguments.network})
    return 0


def reserve(session: Session) -> int:
    """Keep an address of a network from being given to servers: a port holds it, which `openstack port delete` frees."""
    local, ctxt = _service(session)
    network = local.networks.get(ctxt, session.arguments.network)
    port = local.ports.create(ctxt, [{
        "network_id": network.id, "project_id": network.project_id, "name": RESERVED, "admin_state_up": False, "port_security": False,
        "fixed_ips": [WantedAddress(address=session.arguments.address)],
    }])[0]
    session.output.values({"address": session.arguments.address, "port": port.id})
    return 0


def _creating(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--project", required=True, help="id of the project which it belongs to")
    parser.add_argument("--range", required=True, metavar="CIDR")
    parser.add_argument("--gateway", help="default: the first address")
    parser.add_argument("--pool", metavar="FIRST-LAST", help="addresses to give out; default: all")
    parser.add_argument("--dns", action="append", metavar="ADDRESS")
    parser.add_argument("--type", choices=("flat", "vxlan", "vlan"), help="default: [network] network_type")
    parser.add_argument("--wire", metavar="NAME", help="the physical network")
    parser.add_argument("--segment", type=int, help="VLAN or VXLAN identifier; default: a free one")
    parser.add_argument("--shared", action="store_true", help="for all projects")
    parser.add_argument("--external", action="store_true", help="a pool of floating IPs, without DHCP")
    parser.add_argument("--default", action="store_true", help="what is used where no network is named")


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", help="id of the network")


def _address(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    parser.add_argument("address")


COMMANDS = (
    Command("network", "create", "Make a network with a subnet, or a pool of floating IPs.", create, _creating),
    Command("network", "list", "List networks, and how many of their addresses are in use.", show),
    Command("network", "delete", "Remove a network which nobody uses.", delete, _one),
    Command("network", "reserve", "Keep an address from being given out.", reserve, _address),
)
