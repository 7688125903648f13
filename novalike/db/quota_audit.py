"""GLOBAL: what servers count against their projects' quotas, against what they should. Reads only; placement_repairs.py mends.

A server counts its flavor's size; while a resize waits to be confirmed, its old size and a reservation of what it grew by.
Servers on which a task works are left alone: their count is in flux.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.base import now_ms
from novalike.db.claim_audit import Server
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.objects.leftover import Leftover

QUOTA, RESERVATION = "quota", "reservation"
AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Count:
    """What one server counts: its mapping, and what its resize reserves beyond that under the migration's uuid."""

    cores: int
    ram: int
    more_cores: int = 0
    more_ram: int = 0
    migration: str | None = None

    def __str__(self) -> str:
        text = f"{self.cores} cores, {self.ram} MiB"
        return f"{text} and reserves {self.more_cores} cores, {self.more_ram} MiB" if self.more_cores or self.more_ram else text


def should(server: Server) -> Count:
    """Answer what a server should count."""
    if server.awaiting is None:
        return Count(server.flavor.vcpus, server.flavor.memory_mb)
    old, new = server.awaiting.departure.flavor, server.awaiting.flavor
    grown = max(0, new.vcpus - old.vcpus), max(0, new.memory_mb - old.memory_mb)
    return Count(old.vcpus, old.memory_mb, *grown, server.awaiting.migration.uuid if any(grown) else None)


def leftovers(session: Session, servers: Mapping[str, Server], *, grace: float = 0.0) -> Iterator[Leftover]:
    """Answer where counts are wrong, of these servers (by uuid); reservations younger than `grace` seconds may yet get their task."""
    late = now_ms() - int(grace * 1000)
    idle = [server for server in servers.values() if not server.busy and server.counted]
    for start in range(0, len(idle), AT_A_TIME):
        part = {server.uuid: server for server in idle[start:start + AT_A_TIME]}
        counts = counted(session, list(part))
        yield from (
            Leftover(QUOTA, uuid, f"counts {count} instead of {should(part[uuid])}", f"count {should(part[uuid])}")
            for uuid, count in counts.items() if _differs(count, should(part[uuid]))
        )
    for migration, uuid in session.execute(sa.select(Reservation.uuid, Reservation.instance_uuid).where(Reservation.created_at <= late)):
        server = servers.get(uuid)
        if server is None or (not server.busy and should(server).migration != migration):
            yield Leftover(RESERVATION, migration, f"is counted for instance {uuid}, which is not being resized by it", "cancel the reservation")


def counted(session: Session, uuids: list[str]) -> dict[str, Count]:
    """Answer what mapped instances count, with what each one's newest resize reserves; those which count nothing are left out."""
    reserved = {row.instance_uuid: row for row in session.execute(
        sa.select(Reservation.uuid, Reservation.instance_uuid, Reservation.cores, Reservation.ram)
        .where(Reservation.instance_uuid.in_(uuids)).order_by(Reservation.created_at),
    )}
    rows = session.execute(sa.select(InstanceMapping.uuid, InstanceMapping.cores, InstanceMapping.ram).where(
        InstanceMapping.uuid.in_(uuids), InstanceMapping.released_at.is_(None),
    ))
    found = {}
    for uuid, cores, ram in rows:
        more = reserved.get(uuid)
        found[uuid] = Count(cores, ram, more.cores, more.ram, more.uuid) if more is not None else Count(cores, ram)
    return found


def _differs(count: Count, wanted: Count) -> bool:
    # A reservation which belongs to another migration is a finding of its own.
    if wanted.migration is None:
        return (count.cores, count.ram) != (wanted.cores, wanted.ram)
    return count != wanted
