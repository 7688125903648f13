"""Tokens which let somebody see a server's console for a while. Only a hash of each is stored.

A token holds for one server on the host where it is, and for one operation's time: whatever may move the server raises its
epoch. Deleting the server removes them (deletions.py); what moves it calls `revoke`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import instances
from novalike.db.base import now_ms
from novalike.db.cells import Cells
from novalike.db.models.instances import ConsoleTokenRow, InstanceRow
from novalike.objects.console import ConsoleAddress, ConsoleToken
from novalike.objects.instance import Instance
from novalike.objects.secret import Secret
from novalike.objects.states import TaskState
from novalike.rpc import serializer

#: Expired rows which one transaction removes at most.
BATCH = 500


class TokenStore:
    """The tokens of all cells. With `end_with_token` a session ends when its token expires."""

    def __init__(self, cells: Cells, *, end_with_token: bool = False) -> None:
        self._cells = cells
        self._expired_too = not end_with_token

    def find(self, token: Secret) -> ConsoleToken | None:
        """Answer a token which holds now. Raises Unavailable."""
        for cell in self._cells:
            found = cell.fetch(find, token)
            if found is not None:
                return found
        return None

    def standing(self, tokens: Collection[ConsoleToken]) -> set[ConsoleToken]:
        """Answer those whose sessions may go on. Raises Unavailable."""
        found: set[ConsoleToken] = set()
        for cell in self._cells:                         # a server is in one of them
            found |= cell.fetch(standing, tokens, expired_too=self._expired_too)
        return found


def add(
    session: Session, token: Secret, instance: Instance, console_type: str, address: ConsoleAddress, *, seconds: int,
) -> None:
    """Store that a token opens an instance's console for so many seconds. Raises NotFound when the instance is gone."""
    row = instances.lock(session, instance.uuid)      # a delete which runs just now would miss this token
    if row.deleted or row.task_state == TaskState.DELETING:
        raise instances.missing(instance.uuid)
    session.add(ConsoleTokenRow(
        token_hash=_hash(token), instance_uuid=instance.uuid, epoch=instance.epoch, host=instance.host or "",
        console_type=console_type, document=serializer.dump(ConsoleAddress, address),
        expires_at=(session.scalar(sa.select(now_ms())) or 0) + seconds * 1000,
    ))


def find(session: Session, token: Secret) -> ConsoleToken | None:
    """Answer a token which holds now; None for one that is unknown, expired or revoked, or whose server moved or is going."""
    row = session.execute(
        sa.select(ConsoleTokenRow).join(InstanceRow, InstanceRow.uuid == ConsoleTokenRow.instance_uuid).where(
            ConsoleTokenRow.token_hash == _hash(token), ConsoleTokenRow.expires_at > now_ms(),
            InstanceRow.epoch == ConsoleTokenRow.epoch, *_stays(),
        ),
    ).scalar_one_or_none()
    return None if row is None else ConsoleToken(
        id=row.id, instance_uuid=row.instance_uuid, epoch=row.epoch, host=row.host, console_type=row.console_type,
        address=serializer.load(ConsoleAddress, row.document), expires_at=row.expires_at,
    )


def standing(session: Session, tokens: Collection[ConsoleToken], *, expired_too: bool) -> set[ConsoleToken]:
    """Answer those tokens whose sessions may go on: not revoked, their servers where they were.

    Rows of expired tokens are removed some time; with `expired_too` their sessions go on nevertheless.
    """
    now = session.scalar(sa.select(now_ms())) or 0
    where = InstanceRow.uuid.in_({token.instance_uuid for token in tokens})
    hosts = dict(session.execute(sa.select(InstanceRow.uuid, InstanceRow.host).where(where, *_alive())).all())
    stored = set(session.scalars(sa.select(ConsoleTokenRow.id).where(ConsoleTokenRow.id.in_({token.id for token in tokens}))))
    return {
        token for token in tokens
        if hosts.get(token.instance_uuid) == token.host and (token.id in stored if token.expires_at > now else expired_too)
    }


def revoke(session: Session, instance_uuid: str) -> int:
    """Remove all tokens of an instance, which ends their sessions within seconds; answer how many there were."""
    done = session.execute(sa.delete(ConsoleTokenRow).where(ConsoleTokenRow.instance_uuid == instance_uuid))
    return int(done.rowcount)  # type: ignore[attr-defined]


def remove_expired(session: Session, *, limit: int = BATCH) -> int:
    """Remove up to `limit` tokens which expired; answer how many."""
    expired = list(session.scalars(sa.select(ConsoleTokenRow.id).where(ConsoleTokenRow.expires_at <= now_ms()).limit(limit)))
    if expired:
        session.execute(sa.delete(ConsoleTokenRow).where(ConsoleTokenRow.id.in_(expired)))
    return len(expired)


def _alive() -> tuple[sa.ColumnElement[bool], ...]:
    deleting = sa.or_(InstanceRow.task_state.is_(None), InstanceRow.task_state != TaskState.DELETING)
    return InstanceRow.deleted == 0, deleting


def _stays() -> tuple[sa.ColumnElement[bool], ...]:
    return InstanceRow.host == ConsoleTokenRow.host, *_alive()


def _hash(token: Secret) -> str:
    return hashlib.sha256(token.reveal().encode()).hexdigest()
