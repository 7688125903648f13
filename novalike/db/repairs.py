"""What reconcilers look for and mend."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import claims
from novalike.db.models.hosts import ClaimRow
from novalike.db.models.instances import InstanceRow

#: How old a claim must be before a missing instance makes it an orphan.
MIN_AGE = timedelta(minutes=1)


def release_orphan_claims(session: Session, *, now: datetime, limit: int = 500) -> int:
    """Release claims whose instance is deleted or was never there; answer how many. Safe to run at any time."""
    orphans = session.scalars(
        sa.select(ClaimRow.instance_uuid).outerjoin(InstanceRow, InstanceRow.uuid == ClaimRow.instance_uuid)
        .where(sa.or_(InstanceRow.id.is_(None), InstanceRow.deleted == 1), ClaimRow.created_at < now - MIN_AGE).limit(limit),
    )
    released = 0
    for uuid in set(orphans):
        epoch = session.scalar(sa.select(sa.func.max(ClaimRow.epoch)).where(ClaimRow.instance_uuid == uuid)) or 0
        released += len(claims.release(session, uuid, epoch=epoch))
    return released
