"""Availability zones and hosts which users ask for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from novalike.api.services import ApiServices
from novalike.db import aggregates, hosts
from novalike.exception import Invalid


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a server shall go: a zone, or (admins) a host and node which no filter is asked about."""

    zone: str | None = None
    forced_host: str | None = None
    forced_node: str | None = None


def parse(text: str | None) -> Destination:
    """Read `zone`, `zone:host`, `zone:host:node` or `zone::node`. Raises Invalid."""
    if not text:
        return Destination()
    parts = text.split(":")
    if len(parts) > 3:
        raise Invalid("Unable to parse availability_zone")
    zone, host, node = (*parts, "", "")[:3]
    return Destination(zone or None, host or None, node or None)


def check(services: ApiServices, cell: str, destination: Destination) -> None:
    """Raise Invalid for a zone without hosts, or a host or node which does not exist."""
    conf = services.conf
    if destination.zone is not None and destination.zone != conf.default_availability_zone:
        with services.cells.shared.read() as session:
            known = set(aggregates.zones_of_hosts(aggregates.list_aggregates(session)).values())
        if destination.zone not in known:
            raise Invalid("The requested availability zone is not available")
    check_host(services, cell, destination.forced_host, destination.forced_node)


def check_host(services: ApiServices, cell: str, host: str | None, node: str | None) -> None:
    """Raise Invalid, naming it, when there is no such compute host (and node on it)."""
    if host is None and node is None:
        return

    def find(session: Session) -> bool:
        found = hosts.list_compute_nodes(session, down_after=services.conf.service_down_time)
        return any(host in {None, n.host} and node in {None, n.node} for n in found)
    with services.cells.cell(cell).read() as session:
        if not find(session):
            raise Invalid(f"Compute host {':'.join(name for name in (host, node) if name)[:255]} could not be found.")
