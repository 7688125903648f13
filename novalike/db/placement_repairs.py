"""Does what the audit proposes: for `novalike-manage placement repair`. Each finding is looked at again before it is mended."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import claim_audit, claim_repairs, mappings, quota_audit, reservations
from novalike.db.base import now_ms
from novalike.db.cells import Cells
from novalike.db.claim_audit import Server
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.objects.leftover import NO_MAPPING, Leftover, Result

MAPPING = "mapping"


def repair(cells: Cells, finding: Leftover) -> Result:
    """Repair a finding of the audit if it is still true; LEFT when this is nothing for a program, or the server's host is gone."""
    kinds: dict[str, Callable[[Cells, Leftover], Result]] = {
        claim_audit.CLAIM: _claim, claim_audit.INSTANCE: _instance, quota_audit.QUOTA: _quota, quota_audit.RESERVATION: _reservation,
        MAPPING: _mapping,
    }
    if finding.kind not in kinds or finding.repair is None:
        return Result.LEFT
    return kinds[finding.kind](cells, finding)


def _claim(cells: Cells, finding: Leftover) -> Result:
    results = [cell.write(claim_repairs.mend, finding.subject, finding.text) for cell in cells]
    return next((result for result in results if result is not Result.GONE), Result.GONE)


def _instance(cells: Cells, finding: Leftover) -> Result:
    if finding.text != NO_MAPPING:
        return _claim(cells, finding)
    for name in cells.names():
        for server in cells.cell(name).fetch(_server, finding.subject):
            wanted = quota_audit.should(server)
            return _done(cells.shared.write(_map, server, name, wanted))
    return Result.GONE


def _quota(cells: Cells, finding: Leftover) -> Result:
    for cell in cells:
        for server in cell.fetch(_server, finding.subject):
            return _done(not server.busy and cells.shared.write(_recount, server, finding.text))
    return Result.GONE


def _reservation(cells: Cells, finding: Leftover) -> Result:
    owner = cells.shared.fetch(lambda session: session.scalar(sa.select(Reservation.instance_uuid).where(Reservation.uuid == finding.subject)))
    if owner is None:
        return Result.GONE
    living = [server for cell in cells for server in cell.fetch(_server, owner)]
    if any(server.busy or quota_audit.should(server).migration == finding.subject for server in living):
        return Result.GONE
    cells.shared.write(reservations.cancel, finding.subject)
    return Result.REPAIRED


def _mapping(cells: Cells, finding: Leftover) -> Result:
    living = [server for cell in cells for server in cell.fetch(_server, finding.subject)]
    counts = bool(cells.shared.fetch(mappings.counted, [finding.subject]))
    wanted = any(server.counted for server in living)
    if any(server.busy for server in living) or counts == wanted:
        return Result.GONE
    cells.shared.write(mappings.hold if wanted else mappings.release, finding.subject)
    return Result.REPAIRED


def _done(done: bool) -> Result:
    return Result.REPAIRED if done else Result.GONE


def _server(session: Session, uuid: str) -> list[Server]:
    return list(claim_audit.servers(session, [uuid]))


def _recount(session: Session, server: Server, text: str) -> bool:
    found = list(quota_audit.leftovers(session, {server.uuid: server}))
    if not any((one.kind, one.text) == (quota_audit.QUOTA, text) for one in found):
        return False
    wanted = quota_audit.should(server)
    session.execute(
        sa.update(InstanceMapping).where(InstanceMapping.uuid == server.uuid).values(cores=wanted.cores, ram=wanted.ram)
        .execution_options(synchronize_session=False),
    )
    if wanted.migration is not None:
        reservations.cancel(session, wanted.migration)
        session.execute(sa.insert(Reservation).values(
            uuid=wanted.migration, instance_uuid=server.uuid, project_id=server.project_id, user_id=server.user_id,
            created_at=now_ms(), cores=wanted.more_cores, ram=wanted.more_ram,
        ))
    return True


def _map(session: Session, server: Server, cell: str, wanted: quota_audit.Count) -> bool:
    if session.get(InstanceMapping, server.uuid) is not None:
        return False
    session.execute(sa.insert(InstanceMapping).values(
        uuid=server.uuid, cell=cell, project_id=server.project_id, user_id=server.user_id, cores=wanted.cores, ram=wanted.ram,
        confirmed=1, created_at=now_ms(), released_at=None if server.counted else now_ms(),
    ))
    return True
