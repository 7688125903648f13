"""Which hosts' servers were told of at the end of a period, and by whom it is being done."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.db.base import now_ms
from novalike.db.models.instances import InstanceRow
from novalike.db.models.usage_audits import UsageAuditRow
from novalike.objects.usage_audit import DONE, RUNNING, UsageAudit

#: Milliseconds after which somebody else goes on with an audit that does not end.
ABANDONED = 600_000

_AUDITS = cast("sa.Table", UsageAuditRow.__table__)
_INSTANCES = cast("sa.Table", InstanceRow.__table__)


def listed(session: Session, begin: datetime, end: datetime) -> list[UsageAudit]:
    """Answer the audits of a period, by host."""
    query = sa.select(_AUDITS).where(_AUDITS.c.period_beginning == begin, _AUDITS.c.period_ending == end).order_by(_AUDITS.c.host)
    return [
        UsageAudit(host=row.host, state=row.state, instances=row.instances, errors=row.errors, message=row.message or "")
        for row in session.execute(query)
    ]


def take(session: Session, host: str, begin: datetime, end: datetime) -> bool:
    """Begin a host's audit of a period, or take an abandoned one over; False when it is done or in other hands."""
    mine = (_AUDITS.c.host == host, _AUDITS.c.period_beginning == begin, _AUDITS.c.period_ending == end)
    taken: Any = session.execute(
        sa.update(_AUDITS).where(*mine, _AUDITS.c.state == RUNNING, _AUDITS.c.touched_at < now_ms() - ABANDONED)
        .values(touched_at=now_ms()),
    )
    if taken.rowcount:
        return True
    if session.scalar(sa.select(_AUDITS.c.id).where(*mine)) is not None:
        return False
    try:
        with session.begin_nested():
            session.execute(sa.insert(_AUDITS).values(
                host=host, period_beginning=begin, period_ending=end, state=RUNNING, instances=0, errors=0, touched_at=now_ms(),
            ))
    except IntegrityError:                       # another conductor was faster
        return False
    return True


def finish(session: Session, audit: UsageAudit, begin: datetime, end: datetime) -> None:
    """Note that all servers of a host were told of."""
    session.execute(sa.update(_AUDITS).where(
        _AUDITS.c.host == audit.host, _AUDITS.c.period_beginning == begin, _AUDITS.c.period_ending == end,
    ).values(state=DONE, instances=audit.instances, errors=audit.errors, message=audit.message, touched_at=now_ms()))


def active(session: Session, host: str, begin: datetime, end: datetime, *, after: int = 0, limit: int = 500) -> list[tuple[int, str]]:
    """Answer (number, uuid) of servers which a host had in a period, deleted ones included, by number after `after`."""
    query = sa.select(_INSTANCES.c.id, _INSTANCES.c.uuid).where(
        _INSTANCES.c.host == host, _INSTANCES.c.id > after, _INSTANCES.c.launched_at.is_not(None), _INSTANCES.c.launched_at < end,
        sa.or_(_INSTANCES.c.terminated_at.is_(None), _INSTANCES.c.terminated_at > begin),
    ).order_by(_INSTANCES.c.id).limit(limit)
    return [(number, uuid) for number, uuid in session.execute(query)]
