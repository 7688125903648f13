"""Rescued servers: booted from another disk than their own, for a while."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import instances
from novalike.db.models.instances import InstanceRow
from novalike.objects.instance import Instance
from novalike.objects.states import VmState


def overdue(session: Session, *, before: datetime, limit: int = 100) -> list[Instance]:
    """Answer idle servers which were rescued before a time, those longest in rescue first."""
    query = sa.select(InstanceRow).where(
        InstanceRow.vm_state == VmState.RESCUED, InstanceRow.task_state.is_(None), InstanceRow.deleted == 0,
        InstanceRow.launched_at < before,        # the rescue set it
    ).order_by(InstanceRow.launched_at).limit(limit)
    return [instances.to_object(row) for row in session.scalars(query)]
