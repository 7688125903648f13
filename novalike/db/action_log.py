"""The action log of servers: one row per request, one event per step of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.models.instances import InstanceActionEventRow, InstanceActionRow
from novalike.exception import NotFound
from novalike.objects.instance_action import ActionEvent, InstanceAction
from novalike.objects.tasks import Caller

_ACTIONS = cast("sa.Table", InstanceActionRow.__table__)
_EVENTS = cast("sa.Table", InstanceActionEventRow.__table__)
_NEWEST = sa.select(_ACTIONS.c.id).where(
    _ACTIONS.c.instance_uuid == sa.bindparam("in_instance"), _ACTIONS.c.request_id == sa.bindparam("in_request"),
).order_by(_ACTIONS.c.id.desc()).limit(1)


def start(session: Session, action: str, instance_uuid: str, caller: Caller, now: datetime, message: str | None = None) -> None:
    """Note that an action was accepted."""
    session.add(InstanceActionRow(
        action=action, instance_uuid=instance_uuid, request_id=caller.request_id, user_id=caller.user_id,
        project_id=caller.project_id, start_time=now, updated_at=now, message=message,
    ))


def finish(
    session: Session, instance_uuid: str, request_id: str, *, event: str, now: datetime, error: str | None = None,
    details: str = "", host: str | None = None, started: float = 0.0, failed: bool | None = None,
) -> None:
    """Note that a step of a request ended. An error also becomes the action's message.

    `started` is epoch seconds (0: now). `failed` False keeps the action's message clear although this event has an error
    (a failed attempt which was tried again elsewhere).
    """
    action_id = session.scalar(_NEWEST, {"in_instance": instance_uuid, "in_request": request_id})
    if action_id is None:
        return
    changes = {"updated_at": now} | ({"message": "Error"} if error is not None and failed is not False else {})
    session.execute(sa.update(_ACTIONS).where(_ACTIONS.c.id == action_id).values(changes))
    began = datetime.fromtimestamp(started, UTC).replace(tzinfo=None) if started else now
    session.execute(sa.insert(_EVENTS), {
        "action_id": action_id, "event": event, "start_time": min(began, now), "finish_time": now,
        "result": "Success" if error is None else "Error", "host": host, "details": error, "traceback": details or None,
    })


def _to_object(row: InstanceActionRow, events: tuple[ActionEvent, ...] = ()) -> InstanceAction:
    return InstanceAction(
        id=row.id, action=row.action, instance_uuid=row.instance_uuid, request_id=row.request_id, user_id=row.user_id,
        project_id=row.project_id, start_time=row.start_time, updated_at=row.updated_at, message=row.message, events=events,
    )


def listed(
    session: Session, instance_uuid: str, *, limit: int | None = None, marker: str | None = None,
    since: datetime | None = None, before: datetime | None = None,
) -> list[InstanceAction]:
    """Answer a server's actions, newest first. `marker` is a request id; times compare with updated_at. Raises NotFound."""
    table = InstanceActionRow
    query = sa.select(table).where(table.instance_uuid == instance_uuid)
    if marker is not None:
        position = session.scalar(sa.select(table.id).where(table.instance_uuid == instance_uuid, table.request_id == marker))
        if position is None:
            raise NotFound(f"Marker {marker} could not be found.")
        query = query.where(table.id < position)
    if since is not None:
        query = query.where(table.updated_at >= since)
    if before is not None:
        query = query.where(table.updated_at <= before)
    query = query.order_by(table.id.desc())
    if limit is not None:
        query = query.limit(limit)
    return [_to_object(row) for row in session.scalars(query)]


def get(session: Session, instance_uuid: str, request_id: str) -> InstanceAction:
    """Answer one action with its events, newest event first. Raises NotFound."""
    row = session.scalars(
        sa.select(InstanceActionRow).where(
            InstanceActionRow.instance_uuid == instance_uuid, InstanceActionRow.request_id == request_id,
        ).order_by(InstanceActionRow.id.desc()).limit(1),
    ).one_or_none()
    if row is None:
        raise NotFound(f"Action for request_id {request_id} on instance {instance_uuid} not found.")
    events = session.scalars(
        sa.select(InstanceActionEventRow).where(InstanceActionEventRow.action_id == row.id).order_by(InstanceActionEventRow.id.desc()),
    )
    return _to_object(row, tuple(
        ActionEvent(
            event=e.event, start_time=e.start_time, finish_time=e.finish_time, result=e.result, traceback=e.traceback,
            host=e.host, details=e.details,
        ) for e in events
    ))
