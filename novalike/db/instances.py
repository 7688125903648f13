"""Instances: create, read, and the few ways in which their state may move.

Every change of state is one UPDATE guarded by what it expects (epoch, states, action id), or happens under the row's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from typing import cast as typing_cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.models.instances import InstanceFaultRow, InstanceRow
from novalike.exception import NotFound
from novalike.objects.instance import Fault, Instance
from novalike.objects.network_info import Vif
from novalike.objects.states import TaskState
from novalike.rpc import serializer

#: Fields of objects.Instance which have a column of the same name.
_COLUMNS = frozenset({
    "id", "uuid", "project_id", "user_id", "display_name", "hostname", "guest_name", "vm_state", "task_state", "power_state", "host",
    "node", "availability_zone", "image_ref", "key_name", "reservation_id", "launch_index", "locked_by", "progress",
    "access_ip_v4", "access_ip_v6", "epoch", "created_at", "updated_at", "launched_at", "terminated_at",
})
_FLAGS = frozenset({"config_drive", "deleted"})
_APART = frozenset({"network_info", "hardware", "fault"})
#: The rest, kept in `document`.
DOCUMENT_FIELDS = tuple(
    field.name for field in fields(Instance) if field.name not in _COLUMNS | _FLAGS | _APART
)

FAULT_LENGTH = 255

_INSTANCES = typing_cast("sa.Table", InstanceRow.__table__)
_SPAWNING = sa.update(_INSTANCES).where(_INSTANCES.c.uuid == sa.bindparam("in_uuid"), _INSTANCES.c.deleted == 0).values(
    task_state=sa.bindparam("in_state"), network_info=sa.bindparam("in_vifs", type_=_INSTANCES.c.network_info.type),
)
_TASK_STATE = sa.update(_INSTANCES).where(_INSTANCES.c.uuid == sa.bindparam("in_uuid"), _INSTANCES.c.deleted == 0).values(
    task_state=sa.bindparam("in_state"),
)


def missing(uuid: str) -> NotFound:
    """Answer the error for an instance that is not there, or must look so."""
    return NotFound(f"Instance {uuid} could not be found.")


def to_object(row: Any) -> Instance:
    """Turn a row (ORM object or Core row with all columns) into an Instance."""
    values: dict[str, Any] = dict(row.document)
    for name in _COLUMNS:
        values[name] = getattr(row, name)
    for name in _FLAGS:
        values[name] = bool(getattr(row, name))
    values["network_info"] = row.network_info or []
    values["hardware"], values["fault"] = row.hardware, row.fault
    for name in ("created_at", "updated_at", "launched_at", "terminated_at"):
        value = values[name]
        values[name] = value.isoformat() if value is not None else None
    return serializer.load(Instance, values)


def _document(instance: Instance) -> dict[str, Any]:
    dumped = serializer.dump(Instance, instance)
    return {name: dumped[name] for name in DOCUMENT_FIELDS if name in dumped}


def columns(instance: Instance) -> dict[str, Any]:
    """Answer the values of a new instance's row, but for its number, its hardware and its fault."""
    return {
        **{name: getattr(instance, name) for name in _COLUMNS if name != "id"},
        **{name: int(getattr(instance, name)) for name in _FLAGS},
        "flavor_id": instance.flavor.flavorid, "document": _document(instance),
        "network_info": [serializer.dump(Vif, vif) for vif in instance.network_info],
    }


def create(session: Session, instances: Sequence[Instance]) -> list[Instance]:
    """Insert new instances; answer them with their database ids, in the same order."""
    rows = [InstanceRow(**columns(instance)) for instance in instances]
    session.add_all(rows)
    session.flush()
    return [to_object(row) for row in rows]


def get(session: Session, uuid: str, *, project_id: str | None = None, deleted: bool = False) -> Instance:
    """Answer an instance, in one query.

    With `project_id` a foreign one is as good as missing. Deleted ones are found only with `deleted`. Raises NotFound.
    """
    row = session.execute(_select(uuid, project_id=project_id, deleted=deleted)).scalar_one_or_none()
    if row is None:
        raise missing(uuid)
    return to_object(row)


def _select(uuid: str, *, project_id: str | None = None, deleted: bool = False) -> sa.Select[Any]:
    query = sa.select(InstanceRow).where(InstanceRow.uuid == uuid)
    if project_id is not None:
        query = query.where(InstanceRow.project_id == project_id)
    if not deleted:
        query = query.where(InstanceRow.deleted == 0)
    return query


def lock(session: Session, uuid: str, *, deleted: bool = False) -> InstanceRow:
    """Lock an instance's row until the transaction ends; for functions of this folder only. Raises NotFound."""
    row = session.execute(_select(uuid, deleted=deleted).with_for_update()).scalar_one_or_none()
    if row is None:
        raise missing(uuid)
    return typing_cast("InstanceRow", row)


def on_host(session: Session, host: str) -> list[Instance]:
    """Answer the instances which are (or are being built) on a host."""
    query = sa.select(InstanceRow).where(InstanceRow.host == host, InstanceRow.deleted == 0)
    return [to_object(row) for row in session.scalars(query)]


def existing(session: Session, uuids: Iterable[str]) -> set[str]:
    """Answer those of the uuids which are instances that are not deleted."""
    wanted = list(uuids)
    found: set[str] = set()
    for start in range(0, len(wanted), 500):
        query = sa.select(InstanceRow.uuid).where(InstanceRow.uuid.in_(wanted[start:start + 500]), InstanceRow.deleted == 0)
        found.update(session.scalars(query))
    return found


def known(session: Session, uuids: Sequence[str]) -> set[str]:
    """Answer those of the uuids which are instances, deleted or not."""
    return set(session.scalars(sa.select(InstanceRow.uuid).where(InstanceRow.uuid.in_(list(uuids)))))


def change(session: Session, uuid: str, now: datetime, apply: Callable[[Instance], dict[str, Any]]) -> Instance:
    """Change what the API owns of an instance (names, description, metadata, tags, lock ...), under its row's lock.

    `apply` gets the instance and answers the fields to set, by their names in objects.Instance. Answers it changed.
    Raises NotFound, and whatever `apply` raises.
    """
    row = lock(session, uuid)
    changes = apply(to_object(row))
    document = dict(row.document)
    for name, value in changes.items():
        if name in _FLAGS:
            setattr(row, name, int(value))
        elif name in _COLUMNS:
            setattr(row, name, value)
        elif name in DOCUMENT_FIELDS:
            document[name] = list(value) if isinstance(value, tuple) else value
        else:
            raise TypeError(f"{name} is not changed this way")
    row.document = document
    row.updated_at = now
    session.flush()
    return to_object(row)


def network_info(session: Session, uuid: str) -> tuple[Vif, ...]:
    """Answer the ports of an instance as they are stored. Raises NotFound."""
    stored = session.execute(sa.select(InstanceRow.network_info).where(InstanceRow.uuid == uuid)).one_or_none()
    if stored is None:
        raise missing(uuid)
    return tuple(serializer.load(Vif, document) for document in stored[0] or ())


def spawning(session: Session, uuid: str, vifs: Iterable[Vif]) -> None:
    """Note that a host is about to make an instance with these ports. Raises NotFound."""
    done: Any = session.execute(_SPAWNING, {
        "in_uuid": uuid, "in_state": TaskState.SPAWNING, "in_vifs": [serializer.dump(Vif, vif) for vif in vifs],
    })
    if done.rowcount != 1:
        raise missing(uuid)


def set_task_state(session: Session, uuid: str, state: TaskState | None) -> None:
    """Show another task_state of an instance. Raises NotFound."""
    done: Any = session.execute(_TASK_STATE, {"in_uuid": uuid, "in_state": state})
    if done.rowcount != 1:
        raise missing(uuid)


def show_next(session: Session, uuid: str, *, epoch: int, state: TaskState) -> None:
    """Show a later task_state of an instance which is of this epoch still and has one; otherwise nothing is changed."""
    session.execute(sa.update(_INSTANCES).where(
        _INSTANCES.c.uuid == uuid, _INSTANCES.c.epoch == epoch, _INSTANCES.c.deleted == 0, _INSTANCES.c.task_state.is_not(None),
    ).values(task_state=state))


def record_fault(
    session: Session, row: InstanceRow, *, code: int, message: str, details: str, now: datetime, host: str | None = None,
) -> None:
    """Keep why an instance failed: the newest with the instance, all of them in instance_faults."""
    message = message[:FAULT_LENGTH]
    fault = Fault(code=code, message=message, created=now, details=details[:60_000])
    row.fault = serializer.dump(Fault, fault)
    session.add(InstanceFaultRow(
        instance_uuid=row.uuid, code=code, message=message, details=fault.details, host=host, created_at=now,
    ))
