"""What schedulers decided: a row per attempt, the last few of each server.

A row of its own, and not an event in the action log: those are Nova's events with Nova's names, which clients wait for; a
decision is none. The row of a success is written in the claim's transaction, so that it costs one INSERT.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.base import now_ms
from novalike.db.models.hosts import DecisionRow
from novalike.objects.decision import Decision
from novalike.rpc import serializer

#: How many attempts are kept of each server.
KEPT = 10

_ROWS = cast("sa.Table", DecisionRow.__table__)
_INSERT = sa.insert(_ROWS).values(
    instance_uuid=sa.bindparam("in_instance"), host=sa.bindparam("in_host"),
    document=sa.bindparam("in_document", type_=_ROWS.c.document.type), decided_at=now_ms(),
)
_OF_INSTANCE = sa.select(_ROWS).where(_ROWS.c.instance_uuid == sa.bindparam("in_instance")).order_by(_ROWS.c.id.desc())


def add(session: Session, instance_uuid: str, decision: Decision) -> None:
    """Keep a decision, and forget the oldest ones of the server."""
    # Each operation that places raises the epoch: a young server cannot have many, and its success costs no more than the INSERT.
    if decision.host is None or decision.epoch > KEPT // 2:
        oldest = session.scalar(
            sa.select(_ROWS.c.id).where(_ROWS.c.instance_uuid == instance_uuid).order_by(_ROWS.c.id.desc()).limit(1).offset(KEPT - 1),
        )
        if oldest is not None:
            session.execute(sa.delete(_ROWS).where(_ROWS.c.instance_uuid == instance_uuid, _ROWS.c.id <= oldest))
    session.execute(_INSERT, {
        "in_instance": instance_uuid, "in_host": decision.host, "in_document": serializer.dump(Decision, decision),
    })


def listed(session: Session, instance_uuid: str) -> list[Decision]:
    """Answer what is kept of a server, newest first."""
    rows = session.execute(_OF_INSTANCE, {"in_instance": instance_uuid})
    return [replace(serializer.load(Decision, row.document), at=row.decided_at) for row in rows]
