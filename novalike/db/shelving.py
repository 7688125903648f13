"""What a shelved server remembers of it, and which have been shelved for how long."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import instances
from novalike.db.models.instances import InstanceRow
from novalike.objects.instance import Instance
from novalike.objects.snapshot_tasks import SHELVED_AT, SHELVED_HOST, SHELVED_IMAGE, SHELVED_KEYS
from novalike.objects.states import PowerState, TaskState, VmState


def remember(row: InstanceRow, *, image_id: str, host: str, now: datetime) -> None:
    """Note in a locked row that the server is shelved: off, and complete in this image."""
    row.vm_state = VmState.SHELVED
    row.power_state = PowerState.SHUTDOWN
    _memory(row, {SHELVED_AT: now.replace(tzinfo=UTC).isoformat(), SHELVED_IMAGE: image_id, SHELVED_HOST: host})


def leaving(session: Session, uuid: str, *, image_id: str, host: str, now: datetime) -> None:
    """Note that a server, shelved now if it was not, is about to leave its host. Raises NotFound."""
    row = instances.lock(session, uuid)
    if row.vm_state != VmState.SHELVED:
        remember(row, image_id=image_id, host=host, now=now)
    row.task_state = TaskState.SHELVING_OFFLOADING


def forget(row: InstanceRow) -> None:
    """The server of a locked row is shelved no more."""
    _memory(row, {})


def _memory(row: InstanceRow, facts: dict[str, str]) -> None:
    known = {key: value for key, value in row.document.get("system_metadata", {}).items() if key not in SHELVED_KEYS}
    row.document = {**row.document, "system_metadata": known | facts}


def due(session: Session, *, before: datetime, limit: int = 100) -> list[Instance]:
    """Answer idle servers which were shelved before this time and are on their hosts still."""
    row = InstanceRow
    query = sa.select(row).where(
        row.vm_state == VmState.SHELVED, row.task_state.is_(None), row.deleted == 0, row.host.is_not(None),
    ).order_by(row.id)
    found = []
    for shelved in session.scalars(query).yield_per(500):
        instance = instances.to_object(shelved)
        since = instance.system_metadata.get(SHELVED_AT)
        if since is not None and datetime.fromisoformat(since).replace(tzinfo=None) <= before:
            found.append(instance)
            if len(found) == limit:
                break
    return found
