"""GLOBAL: instance mappings, which are also what quota counts. A row is written before its instance and outlives any crash.

Who reserves locks the project's row first and counts then, so that no limit is ever passed, at any concurrency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import quotas
from novalike.db.base import now_ms
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.exception import OverQuota
from novalike.objects.quota import UNLIMITED, Usage

_RESERVE = sa.insert(cast("sa.Table", InstanceMapping.__table__)).values(created_at=now_ms())
_COUNTED = ("instances", "cores", "ram")


def reserve(
    session: Session, uuids: Sequence[str], *, cell: str, project_id: str, user_id: str, cores: int, ram: int,
    defaults: Mapping[str, int], minimum: int | None = None,
) -> list[str]:
    """Map new instances to a cell, within the quota of project and user; answer the uuids that were granted.

    `cores` and `ram` (MiB) are those of one instance; `defaults` the limits where none were set. At least `minimum`
    (default: all) and at most all uuids are granted. Raises OverQuota, in Nova's words.
    """
    least = len(uuids) if minimum is None else minimum
    granted = list(uuids[:_granted(session, project_id, user_id, least=least, cores=cores, ram=ram, defaults=defaults)])
    session.execute(_RESERVE, [
        {
            "uuid": uuid, "cell": cell, "project_id": project_id, "user_id": user_id, "cores": cores, "ram": ram,
            "confirmed": 0, "released_at": None,
        } for uuid in granted
    ])
    return granted


def retake(session: Session, uuid: str, *, defaults: Mapping[str, int]) -> None:
    """Count an instance again whose quota was given back (a soft-deleted one is restored). Raises OverQuota. Fine when it counts."""
    row = session.execute(sa.select(InstanceMapping).where(InstanceMapping.uuid == uuid)).scalar_one_or_none()
    if row is None or row.released_at is None:
        return
    _granted(session, row.project_id, row.user_id, least=1, cores=row.cores, ram=row.ram, defaults=defaults)
    hold(session, uuid)


def hold(session: Session, uuid: str) -> None:
    """Count an instance, whatever the limits: it is there."""
    session.execute(
        sa.update(InstanceMapping).where(InstanceMapping.uuid == uuid, InstanceMapping.released_at.is_not(None))
        .values(released_at=None).execution_options(synchronize_session=False),
    )


def counted(session: Session, uuids: Sequence[str]) -> list[str]:
    """Answer those of the uuids whose instances count."""
    query = sa.select(InstanceMapping.uuid).where(InstanceMapping.uuid.in_(list(uuids)), InstanceMapping.released_at.is_(None))
    return list(session.scalars(query)) if uuids else []


def _granted(
    session: Session, project_id: str, user_id: str, *, least: int, cores: int, ram: int, defaults: Mapping[str, int],
) -> int:
    """Lock the project's row, and answer how many more instances of this size it may have. Raises OverQuota below `least`."""
    quotas.lock(session, f"project:{project_id}")
    limits, own = quotas.both_limits(session, project_id, user_id, defaults)
    used = quotas.usage(session, project_id)
    room = _room(limits, used, cores, ram)
    if any(own[name] != limits[name] for name in _COUNTED):
        used_by_user = quotas.usage(session, project_id, user_id)
        room_of_user = _room(own, used_by_user, cores, ram)
        if room_of_user < room:
            limits, used, room = own, used_by_user, room_of_user
    if room < least:
        raise _over(limits, used, count=least, cores=cores, ram=ram)
    return room


def _room(limits: Mapping[str, int], used: Usage, cores: int, ram: int) -> int:
    """Answer for how many more instances of this size there is room."""
    room = 1_000_000
    for name, taken, each in (("instances", used.instances, 1), ("cores", used.cores, cores), ("ram", used.ram, ram)):
        if limits[name] != UNLIMITED and each:
            room = min(room, max(0, limits[name] - taken) // each)
    return room


def _over(limits: Mapping[str, int], used: Usage, *, count: int, cores: int, ram: int) -> OverQuota:
    asked = {"instances": count, "cores": count * cores, "ram": count * ram}
    overs = tuple(
        name for name in sorted(_COUNTED) if limits[name] != UNLIMITED and getattr(used, name) + asked[name] > limits[name]
    )
    names = ", ".join(overs)
    return OverQuota(
        f"Quota exceeded for {names}: Requested {', '.join(str(asked[name]) for name in overs)}, but already used "
        f"{', '.join(str(getattr(used, name)) for name in overs)} of {', '.join(str(limits[name]) for name in overs)} {names}",
        overs=overs,
    )


def take_over(session: Session, uuids: Sequence[str]) -> str | None:
    """Go on with an accept which began before: its mappings count as new. Answer their cell, or None when one is gone."""
    rows = session.execute(sa.select(InstanceMapping.uuid, InstanceMapping.cell).where(InstanceMapping.uuid.in_(list(uuids)))).all()
    if len(rows) < len(uuids):
        return None
    session.execute(
        sa.update(InstanceMapping).where(InstanceMapping.uuid.in_(list(uuids)), InstanceMapping.confirmed == 0)
        .values(created_at=now_ms()).execution_options(synchronize_session=False),
    )
    return str(rows[0].cell)


def release(session: Session, uuid: str) -> None:
    """Give an instance's quota back; the mapping stays, so that a deleted instance is still found. Fine when done before."""
    session.execute(
        sa.update(InstanceMapping).where(InstanceMapping.uuid == uuid, InstanceMapping.released_at.is_(None))
        .values(released_at=now_ms()).execution_options(synchronize_session=False),
    )
    session.execute(sa.delete(Reservation).where(Reservation.instance_uuid == uuid).execution_options(synchronize_session=False))


def forget(session: Session, uuids: Sequence[str], *, age: int = 0) -> None:
    """Remove mappings whose instances were never stored; those which somebody confirmed or released meanwhile had one.

    With `age` only those which are (still) so many milliseconds old: a request may have taken them over.
    """
    gone = sa.delete(InstanceMapping).where(
        InstanceMapping.uuid.in_(list(uuids)), InstanceMapping.confirmed == 0, InstanceMapping.released_at.is_(None),
    )
    session.execute(gone.where(InstanceMapping.created_at < now_ms() - age) if age else gone)


def unconfirmed(session: Session, age: int, *, limit: int = 1000) -> dict[str, list[str]]:
    """Answer, by cell, the uuids of mappings older than `age` (milliseconds) whose instances nobody has seen yet."""
    query = (
        sa.select(InstanceMapping.cell, InstanceMapping.uuid)
        .where(InstanceMapping.confirmed == 0, InstanceMapping.released_at.is_(None), InstanceMapping.created_at < now_ms() - age)
        .order_by(InstanceMapping.created_at).limit(limit)
    )
    found: dict[str, list[str]] = {}
    for cell, uuid in session.execute(query):
        found.setdefault(cell, []).append(uuid)
    return found


def confirm(session: Session, uuids: Sequence[str]) -> None:
    """Note that these mappings have (or had) their instances; nobody looks at them again."""
    if uuids:
        session.execute(
            sa.update(InstanceMapping).where(InstanceMapping.uuid.in_(list(uuids))).values(confirmed=1)
            .execution_options(synchronize_session=False),
        )
