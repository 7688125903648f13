"""Ports and volumes of servers that exist: what guests made from now on get.

Orders of single-host actions carry a server's devices as they were when the action was accepted. So devices change only
between two actions: whoever wants to change them while one runs is told to come back (Unavailable). Each function that
changes something answers whether the server has a guest now, which must be changed too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import instances
from novalike.db.models.instances import BlockDeviceRow, InstanceRow
from novalike.exception import Fenced, NotFound, Unavailable
from novalike.objects.network_info import Vif
from novalike.objects.states import VmState
from novalike.rpc import serializer

#: States in which a guest runs, or is paused, on the server's host.
WITH_GUEST = frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.RESIZED})


def place_port(session: Session, uuid: str, vif: Vif, *, epoch: int, now: datetime) -> bool:
    """Give a server a port, in the place of whatever has its id; the others keep their order."""
    row = _between_actions(session, uuid, epoch)
    kept = [document for document in row.network_info or () if document["port_id"] != vif.port_id]
    row.network_info = sorted([*kept, serializer.dump(Vif, vif)], key=lambda document: document.get("nic", 0))
    row.updated_at = now
    return _has_guest(row)


def take_nic(session: Session, uuid: str, nic: int, *, epoch: int, now: datetime) -> bool:
    """Take the port at a place from a server. Fine when there is none."""
    row = _between_actions(session, uuid, epoch)
    row.network_info = [document for document in row.network_info or () if document.get("nic", 0) != nic]
    row.updated_at = now
    return _has_guest(row)


def plug_volume(session: Session, uuid: str, device_uuid: str, attachment_id: str | None, *, epoch: int) -> bool:
    """Let a server have the volume of one of its block devices. Raises NotFound when it has no such device."""
    row = _between_actions(session, uuid, epoch)
    change(session, device_uuid, attachment_id=attachment_id, plugged=True)
    return _has_guest(row)


def unplug_volume(session: Session, uuid: str, device_uuid: str, *, epoch: int) -> bool:
    """Let a server not have the volume of one of its block devices, which stays listed. Raises NotFound."""
    row = _between_actions(session, uuid, epoch)
    change(session, device_uuid, plugged=False)
    return _has_guest(row)


def has_guest(session: Session, uuid: str, *, epoch: int) -> bool:
    """Answer whether the server has a guest, between two actions."""
    return _has_guest(_between_actions(session, uuid, epoch))


def change(session: Session, device_uuid: str, **values: Any) -> None:
    """Change fields of a block device. Raises NotFound."""
    row = session.scalars(sa.select(BlockDeviceRow).where(BlockDeviceRow.uuid == device_uuid).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"Block device {device_uuid} could not be found.")
    for name, value in values.items():
        if name in BlockDeviceRow.__table__.c:
            setattr(row, name, int(value) if isinstance(value, bool) else value)
        else:
            row.document = {**row.document, name: value}


def remove(session: Session, device_uuid: str) -> None:
    """Forget a block device. Fine when there is none."""
    session.execute(sa.delete(BlockDeviceRow).where(BlockDeviceRow.uuid == device_uuid))


def _between_actions(session: Session, uuid: str, epoch: int) -> InstanceRow:
    row = instances.lock(session, uuid)
    if row.epoch != epoch:
        raise Fenced(f"Instance {uuid} is in other hands.")
    if row.action_id is not None and row.action_wake_at is not None:      # else it waits for the task to be undone
        raise Unavailable("The server's devices change when the action which runs on it has ended.")
    return row


def _has_guest(row: InstanceRow) -> bool:
    return row.host is not None and row.vm_state in WITH_GUEST
