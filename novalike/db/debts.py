"""Cleanup which hosts owe: they could not be reached when an operation ended. Debts outlive the operation's task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.base import now_ms
from novalike.db.models.hosts import HostDebtRow
from novalike.objects.tasks import Debt, Fence
from novalike.rpc import serializer

#: What a debt's order carries as operation id, before the row's id.
PREFIX = "debt:"
RETRY = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDebt:
    """A debt which is not paid. `wake_at` is when the host is asked next, by the database's clock in milliseconds."""

    debt: Debt
    since: datetime
    wake_at: int


def owe(session: Session, debt: Debt, *, now: datetime) -> None:
    """Note a debt. A host owes one per instance: a newer epoch replaces an older, and an older changes nothing."""
    known = session.execute(
        sa.select(HostDebtRow.id, HostDebtRow.epoch)
        .where(HostDebtRow.host == debt.host, HostDebtRow.instance_uuid == debt.instance_uuid).with_for_update(),
    ).one_or_none()
    if known is not None and known.epoch > debt.epoch:
        return
    if known is not None:
        session.execute(sa.delete(HostDebtRow).where(HostDebtRow.id == known.id))
    session.add(HostDebtRow(
        host=debt.host, instance_uuid=debt.instance_uuid, epoch=debt.epoch, document=serializer.dump(Debt, debt),
        wake_at=now_ms() + RETRY, created_at=now,
    ))
    session.flush()


def due(session: Session, *, host: str | None = None, limit: int = 100) -> list[tuple[Fence, Debt]]:
    """Answer debts to ask for now (all of one host's when it has just come back), and push them on by the retry interval.

    Each time the sequence is a higher one: under the old one a host which failed would only tell of its failure again.
    """
    query = sa.select(HostDebtRow).limit(limit).with_for_update(skip_locked=True)
    query = query.where(HostDebtRow.host == host) if host is not None else query.where(HostDebtRow.wake_at <= now_ms())
    rows = list(session.scalars(query))
    if rows:
        session.execute(
            sa.update(HostDebtRow).where(HostDebtRow.id.in_([row.id for row in rows])).values(wake_at=now_ms() + RETRY)
            .execution_options(synchronize_session=False),
        )
    return [
        (
            Fence(instance_uuid=row.instance_uuid, operation_id=f"{PREFIX}{row.id}", sequence=row.wake_at, epoch=row.epoch),
            serializer.load(Debt, row.document),
        ) for row in rows
    ]


def working(session: Session, fences: Iterable[Fence]) -> None:
    """A host says that it works on these: do not ask for them again before the next interval."""
    ids = [int(fence.operation_id.removeprefix(PREFIX)) for fence in fences if fence.operation_id.startswith(PREFIX)]
    if ids:
        session.execute(
            sa.update(HostDebtRow).where(HostDebtRow.id.in_(ids)).values(wake_at=now_ms() + RETRY)
            .execution_options(synchronize_session=False),
        )


def pay(session: Session, fence: Fence) -> bool:
    """A host cleaned up: forget the debt. False when there was none."""
    done: Any = session.execute(
        sa.delete(HostDebtRow).where(
            HostDebtRow.id == int(fence.operation_id.removeprefix(PREFIX)), HostDebtRow.epoch == fence.epoch,
        ),
    )
    return bool(done.rowcount)


def listed(session: Session, *, host: str | None = None) -> list[OpenDebt]:
    """Answer what hosts owe (or one of them), oldest first."""
    query = sa.select(HostDebtRow).order_by(HostDebtRow.created_at, HostDebtRow.id)
    if host is not None:
        query = query.where(HostDebtRow.host == host)
    return [
        OpenDebt(debt=serializer.load(Debt, row.document), since=row.created_at, wake_at=row.wake_at)
        for row in session.scalars(query)
    ]


def hosts(session: Session) -> set[str]:
    """Answer the hosts which owe something: they get no new work."""
    return set(session.scalars(sa.select(HostDebtRow.host).distinct()))
