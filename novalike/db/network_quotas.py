"""Limits of network resources which were set for a project."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.models.networks import NetworkQuotaRow
from novalike.db.upsert import upsert

_OF_PROJECT = sa.select(NetworkQuotaRow.resource, NetworkQuotaRow.hard_limit).where(
    NetworkQuotaRow.project_id == sa.bindparam("in_project"),
)


def limits(session: Session, project_id: str) -> dict[str, int]:
    """Answer the limits of network resources which were set for a project."""
    return {row.resource: row.hard_limit for row in session.execute(_OF_PROJECT, {"in_project": project_id})}


def set_limits(session: Session, project_id: str, changes: dict[str, int]) -> None:
    """Set limits of network resources for a project."""
    for resource, limit in changes.items():
        values = {"hard_limit": limit}
        upsert(session, NetworkQuotaRow, {"project_id": project_id, "resource": resource}, values, values)


def reset_limits(session: Session, project_id: str) -> None:
    """Go back to the configured limits for a project."""
    session.execute(sa.delete(NetworkQuotaRow).where(NetworkQuotaRow.project_id == project_id))


def limited_projects(session: Session) -> list[str]:
    """Answer the projects with limits of their own."""
    return sorted(session.scalars(sa.select(NetworkQuotaRow.project_id).distinct()))
