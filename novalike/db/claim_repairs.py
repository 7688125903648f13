"""CELL: makes claims right again, one server at a time, under the locks of a claim and only as the audit says there."""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import claim_audit, hosts
from novalike.db.base import now_ms
from novalike.db.claim_audit import Difference
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.instances import InstanceRow
from novalike.db.models.tasks import TaskRow
from novalike.objects.hardware import Hardware
from novalike.objects.leftover import Result
from novalike.rpc import serializer

_CLAIMS = cast("sa.Table", ClaimRow.__table__)
_NODES = cast("sa.Table", ComputeNodeRow.__table__)
_INSTANCES = cast("sa.Table", InstanceRow.__table__)


def mend(session: Session, uuid: str, text: str) -> Result:
    """Repair what the audit says of a server in exactly these words; a transaction of its own.

    GONE: it says so no longer; LEFT: the host is gone on which it should hold something. Nothing was changed then. Works also
    for a host which is full: the server is there.
    """
    ids = _nodes_of(session, uuid)
    session.execute(sa.select(TaskRow.id).where(TaskRow.instance_uuid == uuid).with_for_update()).all()
    session.execute(sa.select(_NODES.c.id).where(_NODES.c.id.in_(ids)).order_by(_NODES.c.id).with_for_update()).all()
    session.execute(sa.select(_INSTANCES.c.id).where(_INSTANCES.c.uuid == uuid).with_for_update()).all()
    found = next((one for one in claim_audit.differences(session, [uuid]) if one.finding().text == text and one.finding().repair), None)
    if found is None or not set(_nodes_of(session, uuid)) <= set(ids):
        return Result.GONE
    if not _apply(session, found):
        return Result.LEFT
    session.execute(sa.update(_NODES).where(_NODES.c.id.in_(ids)).values(changed_at=hosts.next_stamp()))
    return Result.REPAIRED


def _nodes_of(session: Session, uuid: str) -> list[int]:
    """Answer the compute nodes on which the server holds something, or should."""
    ids = set(session.scalars(sa.select(_CLAIMS.c.compute_node_id).where(_CLAIMS.c.instance_uuid == uuid)))
    for one in claim_audit.differences(session, [uuid]):
        if one.should is not None:
            ids |= set(session.scalars(_node(one.should.place)))
    return sorted(ids)


def _node(place: tuple[str, str]) -> sa.Select[Any]:
    return sa.select(_NODES.c.id).where(_NODES.c.host == place[0], _NODES.c.node == place[1], _NODES.c.deleted == 0)


def _apply(session: Session, one: Difference) -> bool:
    mine = (_CLAIMS.c.instance_uuid == one.uuid, _CLAIMS.c.role == one.role)
    if one.should is None:
        session.execute(sa.delete(_CLAIMS).where(*mine))
        return True
    node_id = session.scalar(_node(one.should.place))
    if node_id is None:
        return False                             # its host is gone: nothing to hold there
    amounts = one.should.amounts
    values = {
        "compute_node_id": node_id, "vcpus": amounts.vcpus, "memory_mb": amounts.memory_mb, "disk_gb": amounts.disk_gb,
        "resources": dict(amounts.custom), "server_group": one.should.group,
        "hardware": serializer.dump(Hardware, one.should.hardware) if one.should.hardware is not None else None,
    }
    if one.holds is not None:
        session.execute(sa.update(_CLAIMS).where(*mine).values(**values))
        return True
    epoch = session.scalar(sa.select(_INSTANCES.c.epoch).where(_INSTANCES.c.uuid == one.uuid))
    session.execute(sa.insert(_CLAIMS), {
        **values, "instance_uuid": one.uuid, "role": one.role, "epoch": epoch,
        "created_at": hosts.moment(session.scalar(sa.select(now_ms())) or 0),
    })
    return True
