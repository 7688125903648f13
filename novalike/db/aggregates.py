"""Host aggregates and the availability zones they make (GLOBAL)."""

from __future__ import annotations

import uuid as uuid_module
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.db.models.projects import AggregateHostRow, AggregateRow
from novalike.exception import Conflict, Duplicate, Invalid, NotFound
from novalike.objects.aggregate import ZONE_KEY, Aggregate

_AGGREGATES = cast("sa.Table", AggregateRow.__table__)
_MEMBERS = cast("sa.Table", AggregateHostRow.__table__)
_MEMBERSHIP = sa.select(sa.func.count(), sa.func.sum(_MEMBERS.c.id), sa.func.max(_MEMBERS.c.id)).select_from(_MEMBERS)
_ROWS = sa.select(_AGGREGATES.c.id, _AGGREGATES.c.name, sa.type_coerce(_AGGREGATES.c.meta, sa.Text), _AGGREGATES.c.updated_at).order_by(_AGGREGATES.c.id)


def list_aggregates(session: Session, *, host: str | None = None) -> list[Aggregate]:
    """Answer all aggregates by id, or those which a host is in."""
    query = sa.select(_AGGREGATES).order_by(_AGGREGATES.c.id)
    if host is not None:
        query = query.where(_AGGREGATES.c.id.in_(sa.select(_MEMBERS.c.aggregate_id).where(_MEMBERS.c.host == host)))
    return _with_hosts(session, session.execute(query).all())


def version(session: Session) -> tuple[Any, ...]:
    """Answer something which differs when any aggregate does, at less than the cost of listing all their hosts."""
    members = session.execute(_MEMBERSHIP).one()
    return tuple(members), tuple(tuple(row) for row in session.execute(_ROWS))


def get_aggregate(session: Session, aggregate_id: int) -> Aggregate:
    """Answer an aggregate. Raises NotFound."""
    return _with_hosts(session, [_row(session, aggregate_id)])[0]


def zones_of_hosts(aggregates: Iterable[Aggregate]) -> dict[str, str]:
    """Answer host -> availability zone; hosts in no zone are left out (they are in the default zone)."""
    return {
        host: aggregate.availability_zone
        for aggregate in aggregates if aggregate.availability_zone for host in aggregate.hosts
    }


def metadata_of_hosts(aggregates: Iterable[Aggregate]) -> dict[str, dict[str, frozenset[str]]]:
    """Answer host -> metadata key -> all values which the host's aggregates give it."""
    merged: dict[str, dict[str, frozenset[str]]] = {}
    for aggregate in aggregates:
        for host in aggregate.hosts:
            values = merged.setdefault(host, {})
            for key, value in aggregate.metadata.items():
                values[key] = values.get(key, frozenset()) | {value}
    return merged


def create_aggregate(
    session: Session, *, name: str, now: datetime, availability_zone: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Aggregate:
    """Make an aggregate without hosts. Raises Duplicate for a taken name."""
    meta = dict(metadata or {})
    if availability_zone is not None:
        meta[ZONE_KEY] = availability_zone
    try:
        with session.begin_nested():
            done = session.execute(sa.insert(_AGGREGATES).values(
                uuid=str(uuid_module.uuid4()), name=name, meta=meta, created_at=now,
            ))
    except IntegrityError:
        raise Duplicate(f"Aggregate {name} already exists.") from None
    return get_aggregate(session, int(done.inserted_primary_key[0]))  # type: ignore[attr-defined]  # of an INSERT


def update_aggregate(
    session: Session, aggregate_id: int, *, now: datetime, name: str | None = None, availability_zone: str | None = None,
) -> Aggregate:
    """Rename an aggregate or move it to another zone; what is None stays. Raises NotFound, Duplicate, Invalid."""
    row = _locked(session, aggregate_id)
    if availability_zone is not None:
        _check_zone(session, aggregate_id, row.hosts, availability_zone, Invalid)
    metadata = row.metadata if availability_zone is None else {**row.metadata, ZONE_KEY: availability_zone}
    try:
        with session.begin_nested():
            session.execute(
                sa.update(_AGGREGATES).where(_AGGREGATES.c.id == aggregate_id)
                .values(name=name or row.name, meta=metadata, updated_at=now),
            )
    except IntegrityError:
        raise Duplicate(f"Aggregate {name} already exists.") from None
    return get_aggregate(session, aggregate_id)


def set_metadata(session: Session, aggregate_id: int, changes: Mapping[str, str | None], *, now: datetime) -> Aggregate:
    """Set metadata keys; a value of None removes the key. Raises NotFound, and Invalid when a host would be in two zones."""
    row = _locked(session, aggregate_id)
    zone = changes.get(ZONE_KEY)
    if zone is not None:
        _check_zone(session, aggregate_id, row.hosts, zone, Invalid)
    metadata = {key: value for key, value in {**row.metadata, **changes}.items() if value is not None}
    session.execute(sa.update(_AGGREGATES).where(_AGGREGATES.c.id == aggregate_id).values(meta=metadata, updated_at=now))
    return get_aggregate(session, aggregate_id)


def add_host(session: Session, aggregate_id: int, host: str, *, now: datetime) -> Aggregate:
    """Put a host into an aggregate; the caller checks that it exists.

    Raises NotFound, Duplicate when it is in there, and Conflict when it would be in two availability zones.
    """
    row = _locked(session, aggregate_id)
    if host in row.hosts:
        raise Duplicate(f"Aggregate {aggregate_id} already has host {host}.")
    if row.availability_zone is not None:
        _check_zone(session, aggregate_id, (host,), row.availability_zone, Conflict)
    session.execute(sa.insert(_MEMBERS).values(aggregate_id=aggregate_id, host=host))
    session.execute(sa.update(_AGGREGATES).where(_AGGREGATES.c.id == aggregate_id).values(updated_at=now))
    return get_aggregate(session, aggregate_id)


def remove_host(session: Session, aggregate_id: int, host: str, *, now: datetime) -> Aggregate:
    """Take a host out of an aggregate. Raises NotFound for the aggregate, and for a host that is not in it."""
    row = _locked(session, aggregate_id)
    if host not in row.hosts:
        raise NotFound(f"Aggregate {aggregate_id} has no host {host}.")
    session.execute(sa.delete(_MEMBERS).where(_MEMBERS.c.aggregate_id == aggregate_id, _MEMBERS.c.host == host))
    session.execute(sa.update(_AGGREGATES).where(_AGGREGATES.c.id == aggregate_id).values(updated_at=now))
    return get_aggregate(session, aggregate_id)


def forget_host(session: Session, host: str) -> None:
    """Take a host out of all aggregates: its service was deleted."""
    session.execute(sa.delete(_MEMBERS).where(_MEMBERS.c.host == host))


def delete_aggregate(session: Session, aggregate_id: int) -> None:
    """Forget an aggregate. Raises NotFound, and Invalid while it has hosts."""
    if _locked(session, aggregate_id).hosts:
        raise Invalid(f"Cannot remove host aggregate {aggregate_id}: it still has hosts.")
    session.execute(sa.delete(_AGGREGATES).where(_AGGREGATES.c.id == aggregate_id))


def _row(session: Session, aggregate_id: int) -> Any:
    row = session.execute(sa.select(_AGGREGATES).where(_AGGREGATES.c.id == aggregate_id)).one_or_none()
    if row is None:
        raise NotFound(f"Aggregate {aggregate_id} could not be found.")
    return row


def _locked(session: Session, aggregate_id: int) -> Aggregate:
    # All of them, in one order: "one zone per host" is a rule over several aggregates, and changes are rare.
    session.execute(sa.select(_AGGREGATES.c.id).order_by(_AGGREGATES.c.id).with_for_update()).all()
    return get_aggregate(session, aggregate_id)


def _check_zone(
    session: Session, aggregate_id: int, hosts: Iterable[str], zone: str, error: type[Conflict] | type[Invalid],
) -> None:
    others = [other for other in list_aggregates(session) if other.id != aggregate_id]
    zones = zones_of_hosts(others)
    for host in hosts:
        if zones.get(host, zone) != zone:
            raise error(f"Host {host} is already in availability zone {zones[host]}; it cannot be in {zone} as well.")


def _with_hosts(session: Session, rows: Iterable[Any]) -> list[Aggregate]:
    rows = list(rows)
    members: dict[int, list[str]] = {row.id: [] for row in rows}
    query = sa.select(_MEMBERS.c.aggregate_id, _MEMBERS.c.host).order_by(_MEMBERS.c.id)
    if len(rows) == 1:
        query = query.where(_MEMBERS.c.aggregate_id == rows[0].id)
    for aggregate_id, host in session.execute(query) if rows else ():
        if aggregate_id in members:
            members[aggregate_id].append(host)
    return [
        Aggregate(
            id=row.id, uuid=row.uuid, name=row.name, hosts=tuple(members[row.id]), metadata=row.meta or {},
            created_at=row.created_at, updated_at=row.updated_at,
        )
        for row in rows
    ]
