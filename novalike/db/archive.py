"""Moves deleted servers, with every row about them, out of the tables which are worked with.

Instead of a shadow table for each there is one row per server, which holds its rows as a document: nobody but operators reads it.
A batch is one transaction in the cell; what GLOBAL knows goes after it, and what an interrupted run left there goes with the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.cells import Cells
from novalike.db.models.archive import ArchivedRow
from novalike.db.models.hosts import ClaimRow, DecisionRow, HostDebtRow
from novalike.db.models.instances import (
    BlockDeviceRow,
    ConsoleTokenRow,
    InstanceActionEventRow,
    InstanceActionRow,
    InstanceFaultRow,
    InstanceRow,
    MigrationRow,
)
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.db.models.projects import ServerGroupMemberRow
from novalike.db.models.tasks import TaskRow
from novalike.db.models.usage_audits import UsageAuditRow
from novalike.objects.usage_audit import DONE

#: How many servers one transaction moves.
BATCH = 50
#: How many rows one statement removes.
ROWS = 1000
SERVER, USAGE_AUDIT = "server", "usage_audit"
#: Whose rows of GLOBAL stand before these words in a count of rows.
IN_GLOBAL = "global."

_ARCHIVE = cast("sa.Table", ArchivedRow.__table__)
_INSTANCES = cast("sa.Table", InstanceRow.__table__)
_ACTIONS = cast("sa.Table", InstanceActionRow.__table__)
_EVENTS = cast("sa.Table", InstanceActionEventRow.__table__)
_TOKENS = cast("sa.Table", ConsoleTokenRow.__table__)
_AUDITS = cast("sa.Table", UsageAuditRow.__table__)
_CHILDREN = tuple(
    cast("sa.Table", row.__table__) for row in (InstanceActionRow, InstanceFaultRow, BlockDeviceRow, MigrationRow, DecisionRow)
)
_MAPPINGS = cast("sa.Table", InstanceMapping.__table__)
_OF_GLOBAL = tuple(
    (table, table.c.uuid if table is _MAPPINGS else table.c.instance_uuid)
    for table in (_MAPPINGS, cast("sa.Table", Reservation.__table__), cast("sa.Table", ServerGroupMemberRow.__table__))
)
_DELETED_AT = sa.func.coalesce(_INSTANCES.c.terminated_at, _INSTANCES.c.updated_at, _INSTANCES.c.created_at)
#: Deleted, and nobody has anything left to do with it.
_OVER = (_INSTANCES.c.deleted == 1, *(
    ~sa.exists().where(table.c.instance_uuid == _INSTANCES.c.uuid)
    for table in (cast("sa.Table", row.__table__) for row in (TaskRow, ClaimRow, HostDebtRow))
))

Rows = dict[str, list[dict[str, Any]]]           # by table


def deleted_servers(session: Session, *, before: datetime | None, limit: int) -> list[str]:
    """Answer the uuids of servers which were deleted (before a time), the oldest first, and are of no concern to anybody."""
    query = sa.select(_INSTANCES.c.uuid).where(*_OVER).order_by(_INSTANCES.c.created_at, _INSTANCES.c.id).limit(limit)
    if before is not None:
        query = query.where(_INSTANCES.c.created_at < before, before > _DELETED_AT)
    return list(session.scalars(query))


def move_servers(cells: Cells, cell: str, *, before: datetime | None, limit: int, now: datetime) -> tuple[int, Counter[str]]:
    """Archive up to `limit` (and BATCH) deleted servers of a cell; answer how many were found and the rows moved, by table.

    None found: there are no more.
    """
    database = cells.cell(cell)
    uuids = database.fetch(deleted_servers, before=before, limit=min(limit, BATCH))
    moved: Counter[str] = Counter()
    if uuids:
        known = cells.shared.fetch(_known, uuids)
        moved += database.write(_move, uuids, known, now=now)
    return len(uuids), moved + settle(cells, cell)


def settle(cells: Cells, cell: str) -> Counter[str]:
    """Forget in GLOBAL which servers of a cell were archived; answer the rows removed, by table. Fine when done before."""
    database = cells.cell(cell)
    removed: Counter[str] = Counter()
    while uuids := database.fetch(_unsettled):
        removed += cells.shared.write(_forget, uuids)
        database.write(_settled, uuids)
    return removed


def move_audits(session: Session, *, before: datetime | None, limit: int, now: datetime) -> Counter[str]:
    """Archive up to `limit` finished usage audits; answer the rows moved, by table.

    Those of the newest period stay: conductors would take it for one that nobody was told of yet.
    """
    newest = sa.select(sa.func.max(_AUDITS.c.period_ending)).scalar_subquery()
    query = sa.select(_AUDITS).where(_AUDITS.c.state == DONE, _AUDITS.c.period_ending < newest)
    if before is not None:
        query = query.where(_AUDITS.c.period_ending < before)
    rows = session.execute(query.order_by(_AUDITS.c.id).limit(min(limit, ROWS)).with_for_update()).mappings().all()
    if rows:
        session.execute(sa.insert(_ARCHIVE), [
            {
                "kind": USAGE_AUDIT, "subject": row["host"], "document": {_name(_AUDITS): [_plain(row)]}, "settled": 1,
                "deleted_at": row["period_ending"], "archived_at": now,
            } for row in rows
        ])
        session.execute(sa.delete(_AUDITS).where(_AUDITS.c.id.in_([row["id"] for row in rows])))
    return Counter({_name(_AUDITS): len(rows)})


def purge(session: Session, *, before: datetime | None) -> int:
    """Remove up to ROWS of what is archived for good (and was deleted before a time); answer how many."""
    query = sa.select(_ARCHIVE.c.id).where(_ARCHIVE.c.settled == 1)
    if before is not None:
        query = query.where(_ARCHIVE.c.deleted_at < before)
    ids = list(session.scalars(query.limit(ROWS)))
    if ids:
        session.execute(sa.delete(_ARCHIVE).where(_ARCHIVE.c.id.in_(ids)))
    return len(ids)


def find(session: Session, uuid: str) -> Rows | None:
    """Answer all rows of an archived server, by table; None when it is not archived."""
    query = sa.select(_ARCHIVE.c.document).where(_ARCHIVE.c.subject == uuid, _ARCHIVE.c.kind == SERVER)
    return cast("Rows | None", session.scalar(query))


def _known(session: Session, uuids: Sequence[str]) -> dict[str, Rows]:
    """Answer what GLOBAL has of servers."""
    found: dict[str, Rows] = {}
    for table, column in _OF_GLOBAL:
        for row in session.execute(sa.select(table).where(column.in_(uuids))).mappings():
            found.setdefault(row[column.name], {}).setdefault(IN_GLOBAL + table.name, []).append(_plain(row))
    return found


def _move(session: Session, uuids: Sequence[str], known: Mapping[str, Rows], *, now: datetime) -> Counter[str]:
    locked = session.execute(
        sa.select(_INSTANCES, _DELETED_AT.label("deleted_at")).where(_INSTANCES.c.uuid.in_(uuids), *_OVER).with_for_update(),
    ).mappings().all()
    if not locked:
        return Counter()
    servers = {row["uuid"]: row for row in locked}
    rows: dict[str, Rows] = {
        uuid: {_name(_INSTANCES): [{name: value for name, value in _plain(row).items() if name != "deleted_at"}]}
        for uuid, row in servers.items()
    }
    for table in _CHILDREN:
        for child in session.execute(sa.select(table).where(table.c.instance_uuid.in_(servers)).order_by(table.c.id)).mappings():
            rows[child["instance_uuid"]].setdefault(_name(table), []).append(_plain(child))
    owners = {action["id"]: uuid for uuid, known_rows in rows.items() for action in known_rows.get(_name(_ACTIONS), ())}
    for ids in _parts(list(owners)):
        for event in session.execute(sa.select(_EVENTS).where(_EVENTS.c.action_id.in_(ids)).order_by(_EVENTS.c.id)).mappings():
            rows[owners[event["action_id"]]].setdefault(_name(_EVENTS), []).append(_plain(event))
    session.execute(sa.insert(_ARCHIVE), [
        {
            "kind": SERVER, "subject": uuid, "document": rows[uuid] | known.get(uuid, {}), "settled": 0,
            "deleted_at": server["deleted_at"], "archived_at": now,
        } for uuid, server in servers.items()
    ])
    _remove(session, list(servers), list(owners))
    moved: Counter[str] = Counter()
    for one in rows.values():
        moved.update({table: len(children) for table, children in one.items()})
    return moved


def _name(table: sa.Table) -> str:
    return str(table.name)                       # SQLAlchemy's is a kind of str which JSON does not take for a key


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start:start + ROWS] for start in range(0, len(ids), ROWS))


def _remove(session: Session, uuids: Sequence[str], actions: Sequence[int]) -> None:
    """Remove servers and all that hangs off them. Console tokens are not kept: they opened what is no more."""
    for ids in _parts(actions):
        session.execute(sa.delete(_EVENTS).where(_EVENTS.c.action_id.in_(ids)))
    for table in (*_CHILDREN, _TOKENS):
        session.execute(sa.delete(table).where(table.c.instance_uuid.in_(uuids)))
    session.execute(sa.delete(_INSTANCES).where(_INSTANCES.c.uuid.in_(uuids)))


def _unsettled(session: Session) -> list[str]:
    return list(session.scalars(sa.select(_ARCHIVE.c.subject).where(_ARCHIVE.c.settled == 0).limit(ROWS)))


def _forget(session: Session, uuids: Sequence[str]) -> Counter[str]:
    removed: Counter[str] = Counter()
    for table, column in _OF_GLOBAL:
        done: Any = session.execute(sa.delete(table).where(column.in_(uuids)))
        removed[IN_GLOBAL + table.name] = done.rowcount
    return removed


def _settled(session: Session, uuids: Sequence[str]) -> None:
    session.execute(sa.update(_ARCHIVE).where(_ARCHIVE.c.settled == 0, _ARCHIVE.c.subject.in_(uuids)).values(settled=1))
