"""GLOBAL: what servers count beyond their mappings while they are resized, so that quota is exact from accept to confirm.

A server that grows counts what it grows by from the moment in which the resize is accepted. One that shrinks counts its old
size until the resize is confirmed: reverting never asks for quota. Every function may be called again after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import quotas
from novalike.db.base import now_ms
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.exception import NotFound, OverQuota
from novalike.objects.quota import UNLIMITED, Usage


@dataclass(frozen=True, slots=True)
class Stale:
    """A reservation whose migration should be there by now."""

    uuid: str
    instance_uuid: str
    cell: str


def reserve(
    session: Session, uuid: str, instance_uuid: str, *, cores: int, ram: int, defaults: Mapping[str, int],
) -> None:
    """Reserve what a server of `cores` and `ram` (MiB) counts beyond what it does now, for the migration `uuid`.

    Charged to the server's project and user. Raises OverQuota in Nova's words, NotFound when the server is not mapped.
    """
    row = session.execute(sa.select(InstanceMapping).where(InstanceMapping.uuid == instance_uuid)).scalar_one_or_none()
    if row is None:
        raise NotFound(f"Instance {instance_uuid} could not be found.")
    asked = {"cores": max(0, cores - row.cores), "ram": max(0, ram - row.ram)}
    if not any(asked.values()):
        return
    quotas.lock(session, f"project:{row.project_id}")
    limits, own = quotas.both_limits(session, row.project_id, row.user_id, defaults)
    _check(limits, quotas.usage(session, row.project_id), asked)
    if any(own[name] != limits[name] for name in asked):
        _check(own, quotas.usage(session, row.project_id, row.user_id), asked)
    session.execute(sa.insert(Reservation).values(
        uuid=uuid, instance_uuid=instance_uuid, project_id=row.project_id, user_id=row.user_id, created_at=now_ms(), **asked,
    ))


def _check(limits: Mapping[str, int], used: Usage, asked: Mapping[str, int]) -> None:
    overs = tuple(
        name for name, amount in sorted(asked.items())
        if amount and limits[name] != UNLIMITED and getattr(used, name) + amount > limits[name]
    )
    if overs:
        names = ", ".join(overs)
        raise OverQuota(
            f"Quota exceeded for {names}: Requested {', '.join(str(asked[name]) for name in overs)}, but already used "
            f"{', '.join(str(getattr(used, name)) for name in overs)} of {', '.join(str(limits[name]) for name in overs)} {names}",
            overs=overs,
        )


def cancel(session: Session, uuid: str) -> None:
    """The resize was undone: give back what it reserved. Fine when there is nothing."""
    session.execute(sa.delete(Reservation).where(Reservation.uuid == uuid).execution_options(synchronize_session=False))


def settle(session: Session, uuid: str, instance_uuid: str, *, cores: int, ram: int) -> None:
    """The resize was confirmed: the server counts its new size from now on."""
    session.execute(
        sa.update(InstanceMapping).where(InstanceMapping.uuid == instance_uuid).values(cores=cores, ram=ram)
        .execution_options(synchronize_session=False),
    )
    cancel(session, uuid)


def older_than(session: Session, age: int, *, limit: int = 1000) -> list[Stale]:
    """Answer reservations made more than `age` milliseconds ago, with the cells of their servers."""
    query = (
        sa.select(Reservation.uuid, Reservation.instance_uuid, InstanceMapping.cell)
        .join(InstanceMapping, InstanceMapping.uuid == Reservation.instance_uuid)
        .where(Reservation.created_at < now_ms() - age).order_by(Reservation.created_at).limit(limit)
    )
    return [Stale(uuid, instance_uuid, cell) for uuid, instance_uuid, cell in session.execute(query)]
