"""What belongs to users and projects: key pairs, limits, server groups."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import imports, quotas
from novalike.db.models.projects import KeypairRow, QuotaRow, ServerGroupRow
from novalike.manage.import_nova import versioned
from novalike.manage.import_nova.plan import Left, Plan
from novalike.manage.import_nova.source import NovaDatabase, Row
from novalike.manage.import_nova.target import Target, owner
from novalike.objects.quota import DEFAULT_LIMITS, UNLIMITED

#: Tables of limits: what they are called in the plan, and where a row belongs (project, user).
_LIMITS = {
    "quota_classes": "default limits", "quotas": "limits of projects", "project_user_quotas": "limits of users",
}


def take_keypairs(nova: NovaDatabase, target: Target, plan: Plan) -> None:
    """Take over the key pairs which are not here, known by user and name."""
    account = plan.of("key pairs")
    for batch in nova.rows("key_pairs"):
        here = target.shared.fetch(_keypairs, [row["user_id"] for row in batch])
        fresh = []
        for row in batch:
            try:
                key = owner(row["user_id"], "user"), row["name"]
            except Left as left:
                account.leave(row["name"], left)
                continue
            if key in here:
                account.here += 1
            else:
                fresh.append({
                    "id": row["id"], "user_id": key[0], "name": key[1], "type": row["type"], "public_key": row["public_key"],
                    "fingerprint": row["fingerprint"] or "", "created_at": row.get("created_at") or target.now, "updated_at": row.get("updated_at"),
                })
        account.new += len(fresh)
        target.write(target.shared, imports.add, KeypairRow, fresh)


def _keypairs(session: Session, users: list[str]) -> set[tuple[str, str]]:
    query = sa.select(KeypairRow.user_id, KeypairRow.name).where(KeypairRow.user_id.in_(users))
    return {(user, name) for user, name in session.execute(query)}


def take_limits(nova: NovaDatabase, target: Target, plan: Plan) -> None:
    """Take over limits: of the default class, of projects, of users in them. One which is here stays as it is."""
    for table, what in _LIMITS.items():
        account = plan.of(what)
        for batch in nova.rows(table):
            here = target.shared.fetch(_limits, [row.get("project_id") or "" for row in batch])
            fresh: dict[tuple[str, str | None], dict[str, int]] = {}
            for row in batch:
                scope = (row.get("project_id") or "", row.get("user_id") or "")
                limit = UNLIMITED if row["hard_limit"] is None else row["hard_limit"]
                if row["resource"] not in DEFAULT_LIMITS:
                    account.leave("", Left(f"of {row['resource']}, which nothing counts any more", matters=False))
                elif table == "quota_classes" and row["class_name"] != quotas.DEFAULT_CLASS:
                    account.leave("", Left("of classes other than default, which have no effect", matters=False))
                elif (*scope, row["resource"]) not in here:
                    fresh.setdefault((scope[0], scope[1] or None), {})[row["resource"]] = limit
                    account.new += 1
                else:
                    account.here += 1
                    if here[(*scope, row["resource"])] != limit:
                        account.remarks.append(f"{row['resource']} of {scope[0] or 'all projects'} stays {here[(*scope, row['resource'])]}, in Nova {limit}")
            target.write(target.shared, _store_limits, fresh, target)


def _limits(session: Session, projects: list[str]) -> dict[tuple[str, str, str], int]:
    query = sa.select(QuotaRow.project_id, QuotaRow.user_id, QuotaRow.resource, QuotaRow.hard_limit).where(QuotaRow.project_id.in_(projects))
    return {(project, user, resource): limit for project, user, resource, limit in session.execute(query)}


def _store_limits(session: Session, fresh: dict[tuple[str, str | None], dict[str, int]], target: Target) -> None:
    for (project, user), values in fresh.items():
        quotas.set_limits(session, project, user, values, now=target.now)


def take_groups(nova: NovaDatabase, target: Target, plan: Plan) -> None:
    """Take over server groups; their members come with the servers."""
    account = plan.of("server groups")
    for batch in nova.rows("instance_groups"):
        here = target.shared.fetch(imports.present, ServerGroupRow.uuid, [row["uuid"] for row in batch])
        account.here += len(here)
        policies = nova.of("instance_group_policy", "group_id", [row["id"] for row in batch])
        fresh: list[dict[str, Any]] = []
        for row in batch:
            if row["uuid"] in here:
                continue
            try:
                fresh.append(_group(row, policies.get(row["id"], []), target))
            except Left as left:
                account.leave(row["uuid"], left)
        account.new += len(fresh)
        target.write(target.shared, imports.add, ServerGroupRow, fresh)


def _group(row: Row, policies: list[Row], target: Target) -> dict[str, Any]:
    if not policies:
        raise Left("without a policy", matters=False)
    rules = versioned.data(policies[0].get("rules")) or {}
    return {
        "id": row["id"], "uuid": row["uuid"], "project_id": owner(row["project_id"], "project"), "user_id": owner(row["user_id"], "user"),
        "name": row["name"] or "", "policy": policies[0]["policy"], "rules": {name: int(value) for name, value in rules.items()},
        "cell": target.cell, "created_at": row.get("created_at") or target.now,
    }
