"""Security groups and their rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import network_listing
from novalike.db.models.networks import (
    AddressRow,
    PortRow,
    PortSecurityGroupRow,
    SecurityGroupRow,
    SecurityGroupRuleRow,
)
from novalike.db.network_listing import Listing
from novalike.exception import NotFound
from novalike.objects.network import SecurityGroup, SecurityGroupRule

_GROUPS: Any = SecurityGroupRow.__table__
_RULES = SecurityGroupRuleRow.__table__
_MEMBERS: Any = PortSecurityGroupRow.__table__
_PORTS: Any = PortRow.__table__
_RULE_COLUMNS = tuple(f.name for f in fields(SecurityGroupRule))
_GROUP_COLUMNS = tuple(f.name for f in fields(SecurityGroup) if f.name != "rules")


def insert(session: Session, group: SecurityGroup, now: datetime) -> None:
    """Store a new group with its rules."""
    values = {name: getattr(group, name) for name in _GROUP_COLUMNS} | {"created_at": now, "updated_at": now}
    session.add(SecurityGroupRow(**values | {"stateful": int(group.stateful), "tags": list(group.tags)}))
    session.flush()
    for rule in group.rules:
        _insert_rule(session, rule, now)


def insert_rule(session: Session, rule: SecurityGroupRule, now: datetime) -> None:
    """Store a new rule; its group is of a new revision then."""
    _insert_rule(session, rule, now)
    _revise(session, [rule.security_group_id], now)


def _insert_rule(session: Session, rule: SecurityGroupRule, now: datetime) -> None:
    values = {name: getattr(rule, name) for name in _RULE_COLUMNS} | {"created_at": now, "updated_at": now}
    session.add(SecurityGroupRuleRow(**values))
    session.flush()


def _revise(session: Session, group_ids: Iterable[str], now: datetime) -> None:
    session.execute(
        sa.update(_GROUPS).where(_GROUPS.c.id.in_(sorted(group_ids)))
        .values(revision_number=_GROUPS.c.revision_number + 1, updated_at=now),
    )


def update(session: Session, group_id: str, changes: dict[str, Any], now: datetime) -> None:
    """Change a group's columns."""
    changes = {name: int(value) if name == "stateful" else value for name, value in changes.items()}
    session.execute(
        sa.update(_GROUPS).where(_GROUPS.c.id == group_id)
        .values(**changes, updated_at=now, revision_number=_GROUPS.c.revision_number + 1),
    )


def delete(session: Session, group_id: str, now: datetime) -> list[str]:
    """Remove a group which no port is in, and the rules which refer to it; answer the groups which lost rules by that."""
    query = sa.select(_RULES.c.security_group_id).where(_RULES.c.remote_group_id == group_id, _RULES.c.security_group_id != group_id)
    others = sorted(set(session.scalars(query)))
    session.execute(sa.delete(SecurityGroupRuleRow).where(
        sa.or_(SecurityGroupRuleRow.security_group_id == group_id, SecurityGroupRuleRow.remote_group_id == group_id),
    ))
    session.execute(sa.delete(SecurityGroupRow).where(SecurityGroupRow.id == group_id))
    _revise(session, others, now)
    return others


def delete_rule(session: Session, rule: SecurityGroupRule, now: datetime) -> None:
    """Remove a rule; its group is of a new revision then."""
    session.execute(sa.delete(SecurityGroupRuleRow).where(SecurityGroupRuleRow.id == rule.id))
    _revise(session, [rule.security_group_id], now)


@dataclass(frozen=True, slots=True)
class Revisions:
    """How often a group's rules changed, and how often its members."""

    rules: int
    members: int


def revisions(session: Session, group_ids: Iterable[str]) -> dict[str, Revisions]:
    """Answer the revisions of those groups which exist."""
    wanted = sorted(group_ids)
    if not wanted:
        return {}
    query = sa.select(_GROUPS.c.id, _GROUPS.c.revision_number, _GROUPS.c.members_revision).where(_GROUPS.c.id.in_(wanted))
    return {row.id: Revisions(row.revision_number, row.members_revision) for row in session.execute(query)}


def move_members(session: Session, group_ids: Iterable[str]) -> None:
    """Note that members of groups, or their addresses, changed. The groups' rows stay locked until the commit."""
    query = sa.update(_GROUPS).where(_GROUPS.c.id.in_(sorted(group_ids)))
    session.execute(query.values(members_revision=_GROUPS.c.members_revision + 1))


def members(session: Session, group_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Answer the addresses of each group's ports, with what else they may use (allowed address pairs), sorted. Ports
    without port security are no members."""
    wanted = sorted(group_ids)
    found: dict[str, set[str]] = {group_id: set() for group_id in wanted}
    if wanted:
        joined = _MEMBERS.join(_PORTS, _PORTS.c.id == _MEMBERS.c.port_id)
        mine = (_MEMBERS.c.security_group_id.in_(wanted), _PORTS.c.port_security == 1)
        held = sa.select(_MEMBERS.c.security_group_id, AddressRow.address)
        for group_id, address in session.execute(held.select_from(joined.join(AddressRow, AddressRow.port_id == _PORTS.c.id)).where(*mine)):
            found[group_id].add(address)
        paired = sa.select(_MEMBERS.c.security_group_id, _PORTS.c.address_pairs).select_from(joined)
        for group_id, pairs in session.execute(paired.where(*mine, sa.type_coerce(_PORTS.c.address_pairs, sa.Text) != "[]")):
            found[group_id] |= {address for address, _ in pairs}
    return {group_id: tuple(sorted(addresses)) for group_id, addresses in found.items()}


def hosts(session: Session, *, changed: Iterable[str], moved: Iterable[str]) -> list[str]:
    """Answer the hosts which have ports in `changed` groups, or in groups whose rules name `moved` ones as their remote."""
    using = sa.select(_RULES.c.security_group_id).where(_RULES.c.remote_group_id.in_(sorted(moved)))
    query = sa.select(_PORTS.c.host).join(_MEMBERS, _MEMBERS.c.port_id == _PORTS.c.id).where(
        _PORTS.c.host != "", sa.or_(_MEMBERS.c.security_group_id.in_(sorted(changed)), _MEMBERS.c.security_group_id.in_(using)),
    )
    return sorted(session.scalars(query.distinct()))


def get(session: Session, group_id: str) -> SecurityGroup:
    """Answer a group. Raises NotFound."""
    found = _groups(session, list(session.execute(sa.select(_GROUPS).where(_GROUPS.c.id == group_id))))
    if not found:
        raise NotFound(f"Security group {group_id} does not exist")
    return found[0]


def get_rule(session: Session, rule_id: str) -> SecurityGroupRule:
    """Answer a rule. Raises NotFound."""
    row = session.execute(sa.select(_RULES).where(_RULES.c.id == rule_id)).first()
    if row is None:
        raise NotFound(f"Security group rule {rule_id} does not exist")
    return _rule(row)


def named(session: Session, project_id: str, names_or_ids: Iterable[str]) -> list[SecurityGroup]:
    """Answer a project's groups which have one of these names or ids."""
    wanted = set(names_or_ids)
    query = sa.select(_GROUPS).where(_GROUPS.c.project_id == project_id, sa.or_(_GROUPS.c.id.in_(wanted), _GROUPS.c.name.in_(wanted)))
    return _groups(session, list(session.execute(query)))


def by_ids(session: Session, group_ids: Iterable[str]) -> list[SecurityGroup]:
    """Answer groups by id, in no order; those which are gone are left out."""
    return _groups(session, list(session.execute(sa.select(_GROUPS).where(_GROUPS.c.id.in_(sorted(group_ids))))))


def default_of(session: Session, project_id: str) -> SecurityGroup | None:
    """Answer a project's default group, if it was made yet."""
    rows = list(session.execute(sa.select(_GROUPS).where(_GROUPS.c.default_of == project_id)))
    return _groups(session, rows)[0] if rows else None


def default_id(session: Session, project_id: str) -> str | None:
    """Answer the id of a project's default group, if it was made yet."""
    return session.scalar(sa.select(SecurityGroupRow.id).where(SecurityGroupRow.default_of == project_id))


def list_page(session: Session, listing: Listing) -> list[SecurityGroup]:
    """Answer a project's groups."""
    conditions = [] if listing.project_id is None else [_GROUPS.c.project_id == listing.project_id]
    return _groups(session, network_listing.fetch(session, SecurityGroupRow, listing, *conditions))


def list_rules(session: Session, listing: Listing) -> list[SecurityGroupRule]:
    """Answer a project's rules."""
    conditions = [] if listing.project_id is None else [_RULES.c.project_id == listing.project_id]
    return [_rule(row) for row in network_listing.fetch(session, SecurityGroupRuleRow, listing, *conditions)]


def count(session: Session, resource: str, project_id: str) -> int:
    """Answer how many groups or rules a project has."""
    table: Any = {"security_group": SecurityGroupRow, "security_group_rule": SecurityGroupRuleRow}[resource]
    return session.scalar(sa.select(sa.func.count()).where(table.project_id == project_id)) or 0


def _groups(session: Session, rows: list[sa.Row[Any]]) -> list[SecurityGroup]:
    rules: dict[str, list[SecurityGroupRule]] = defaultdict(list)
    if rows:
        query = sa.select(_RULES).where(_RULES.c.security_group_id.in_([row.id for row in rows]))
        for row in session.execute(query.order_by(_RULES.c.created_at, _RULES.c.id)):
            rules[row.security_group_id].append(_rule(row))
    answer = []
    for row in rows:
        values = {name: getattr(row, name) for name in _GROUP_COLUMNS}
        values |= {"stateful": bool(row.stateful), "tags": tuple(row.tags)}
        answer.append(SecurityGroup(**values, rules=tuple(rules[row.id])))
    return answer


def _rule(row: sa.Row[Any]) -> SecurityGroupRule:
    return SecurityGroupRule(**{name: getattr(row, name) for name in _RULE_COLUMNS})
