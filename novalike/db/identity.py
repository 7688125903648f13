"""Accounts, groups and the catalog of the local identity service. Functions take a session and answer objects.

The kinds are alike, so that one set of functions serves them all: `get(session, Project, id)`. Every change that may affect
a token moves the revision (`touch`), which caches of tokens follow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.db.models.identity import (
    ApplicationCredentialRow,
    DomainRow,
    Ec2CredentialRow,
    EndpointRow,
    GroupMemberRow,
    GroupRow,
    IdentityRevisionRow,
    ImpliedRoleRow,
    ProjectRow,
    RegionRow,
    RevocationRow,
    RoleAssignmentRow,
    RoleRow,
    ServiceEntryRow,
    UserRow,
)
from novalike.exception import Duplicate, NotFound
from novalike.objects.identity import (
    ApplicationCredential,
    Domain,
    Ec2Credential,
    Endpoint,
    Group,
    Project,
    Region,
    Role,
    RoleAssignment,
    ServiceEntry,
    User,
)

T = TypeVar("T")

_ROWS: dict[type, Any] = {
    Domain: DomainRow, Project: ProjectRow, User: UserRow, Group: GroupRow, Role: RoleRow, Region: RegionRow,
    ServiceEntry: ServiceEntryRow, Endpoint: EndpointRow, ApplicationCredential: ApplicationCredentialRow,
    Ec2Credential: Ec2CredentialRow,
}
_WORDS: dict[type, str] = {
    Domain: "domain", Project: "project", User: "user", Group: "group", Role: "role", Region: "region",
    ServiceEntry: "service", Endpoint: "endpoint", ApplicationCredential: "application credential",
    Ec2Credential: "credential",
}
_FLAGS = frozenset({"enabled", "unrestricted"})


def _key(kind: type) -> Any:
    row = _ROWS[kind]
    return row.access if kind is Ec2Credential else row.id


def _object(kind: type[T], row: Any) -> T:
    values = {f.name: getattr(row, f.name) for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in _FLAGS & values.keys():
        values[name] = bool(values[name])
    return kind(**values)


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    return {name: int(value) if name in _FLAGS else value for name, value in values.items()}


def find(session: Session, kind: type[T], id: str) -> T | None:
    """Answer the thing of that id, or None."""
    row = session.scalar(sa.select(_ROWS[kind]).where(_key(kind) == id))
    return None if row is None else _object(kind, row)


def get(session: Session, kind: type[T], id: str) -> T:
    """Answer the thing of that id. Raises NotFound."""
    found = find(session, kind, id)
    if found is None:
        raise NotFound(f"Could not find {_WORDS[kind]}: {id[:255]}.")
    return found


def listing(
    session: Session, kind: type[T], /, *, ids: Iterable[str] | None = None, limit: int | None = None,
    marker: str | None = None, **equal: Any,
) -> list[T]:
    """Answer all things of a kind, in order of their ids, whose fields equal the given values (None: not asked).

    `ids` restricts to those; `marker` is the id after which a page starts.
    """
    row = _ROWS[kind]
    query = sa.select(row).order_by(_key(kind))
    for name, value in _columns({k: v for k, v in equal.items() if v is not None}).items():
        query = query.where(getattr(row, name) == value)
    if ids is not None:
        query = query.where(_key(kind).in_(list(ids)))
    if marker is not None:
        query = query.where(_key(kind) > marker)
    if limit is not None:
        query = query.limit(limit)
    return [_object(kind, r) for r in session.scalars(query)]


def add(session: Session, item: T) -> T:
    """Store a new thing and answer it. Raises Duplicate when its id, or name within its domain, is taken."""
    kind = type(item)
    touch(session)
    values = {f.name: getattr(item, f.name) for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    session.add(_ROWS[kind](**_columns(values)))
    try:
        session.flush()
    except IntegrityError as error:
        raise _duplicate(kind, values.get("name")) from error
    return item


def change(session: Session, kind: type[T], id: str, /, **values: Any) -> T:
    """Set fields and answer the thing as it is now. Raises NotFound, Duplicate."""
    if values:
        touch(session)
        try:
            session.execute(sa.update(_ROWS[kind]).where(_key(kind) == id).values(**_columns(values)))
        except IntegrityError as error:
            raise _duplicate(kind, values.get("name")) from error
    return get(session, kind, id)


def remove(session: Session, kind: type, id: str) -> None:
    """Delete a thing and everything that hangs off it. Raises NotFound."""
    touch(session)
    found = session.execute(sa.delete(_ROWS[kind]).where(_key(kind) == id)).rowcount  # type: ignore[attr-defined]
    if not found:
        raise NotFound(f"Could not find {_WORDS[kind]}: {id[:255]}.")
    for table, where in _dependents(kind, id):
        session.execute(sa.delete(table).where(*where))


def _dependents(kind: type, id: str) -> list[tuple[Any, list[Any]]]:
    assignment = RoleAssignmentRow
    if kind in {User, Group}:
        word = _WORDS[kind]
        member = GroupMemberRow.user_id if kind is User else GroupMemberRow.group_id
        gone: list[tuple[Any, list[Any]]] = [
            (assignment, [assignment.actor_type == word, assignment.actor_id == id]), (GroupMemberRow, [member == id]),
        ]
        if kind is User:
            gone += [(table, [table.user_id == id]) for table in (ApplicationCredentialRow, Ec2CredentialRow)]
        return gone
    if kind is Project:
        gone = [(table, [table.project_id == id]) for table in (ApplicationCredentialRow, Ec2CredentialRow)]
        return [*gone, (assignment, [assignment.target_type == "project", assignment.target_id == id])]
    if kind is Role:
        return [
            (assignment, [assignment.role_id == id]),
            (ImpliedRoleRow, [sa.or_(ImpliedRoleRow.prior_role_id == id, ImpliedRoleRow.implied_role_id == id)]),
        ]
    if kind is ServiceEntry:
        return [(EndpointRow, [EndpointRow.service_id == id])]
    if kind is Domain:
        return [(assignment, [assignment.target_type == "domain", assignment.target_id == id])]
    return []


def remove_domain_contents(session: Session, domain_id: str) -> None:
    """Delete a domain's users, groups and projects with all that hangs off them."""
    for kind in (User, Group, Project):
        for item in listing(session, kind, domain_id=domain_id):  # type: ignore[type-var]
            remove(session, kind, item.id)  # type: ignore[attr-defined]


def _duplicate(kind: type, name: Any) -> Duplicate:
    return Duplicate(f"Conflict occurred attempting to store {_WORDS[kind]} - it is not possible to have two named "
                     f"{str(name)[:255]!r} in one place, or with the same id.")


# --- revision -----------------------------------------------------------------------------------------------------------

def revision(session: Session) -> int:
    """Answer a number which moves with every change that may affect a token or the catalog."""
    return session.scalar(sa.select(IdentityRevisionRow.revision).where(IdentityRevisionRow.id == 1)) or 0


def touch(session: Session) -> None:
    """Move the revision. Whoever writes does this first: it locks the row, so that writers follow one another and what
    they check before they insert stays true.
    """
    move = sa.update(IdentityRevisionRow).where(IdentityRevisionRow.id == 1).values(revision=IdentityRevisionRow.revision + 1)
    if session.execute(move).rowcount:  # type: ignore[attr-defined]
        return
    try:
        with session.begin_nested():
            session.execute(sa.insert(IdentityRevisionRow).values(id=1, revision=1))
    except IntegrityError:                       # another process made the row a moment ago
        session.execute(move)


def revoke_token(session: Session, audit_id: str, *, expires_at: int, now: int) -> None:
    """Refuse one token from now on (epoch milliseconds); what has expired is forgotten on the way."""
    touch(session)
    session.execute(sa.delete(RevocationRow).where(RevocationRow.expires_at < now))
    if session.scalar(sa.select(RevocationRow.audit_id).where(RevocationRow.audit_id == audit_id)) is None:
        session.add(RevocationRow(audit_id=audit_id, expires_at=expires_at))


def is_revoked(session: Session, audit_id: str) -> bool:
    """Tell whether that token was revoked by itself."""
    return session.scalar(sa.select(RevocationRow.audit_id).where(RevocationRow.audit_id == audit_id)) is not None


# --- groups and roles ---------------------------------------------------------------------------------------------------

def add_member(session: Session, group_id: str, user_id: str) -> None:
    """Put a user into a group; again is no error."""
    touch(session)
    if not is_member(session, group_id, user_id):
        session.add(GroupMemberRow(group_id=group_id, user_id=user_id))


def remove_member(session: Session, group_id: str, user_id: str) -> None:
    """Take a user out of a group. Raises NotFound when it was not in it."""
    touch(session)
    where = (GroupMemberRow.group_id == group_id, GroupMemberRow.user_id == user_id)
    if not session.execute(sa.delete(GroupMemberRow).where(*where)).rowcount:  # type: ignore[attr-defined]
        raise no_member(group_id, user_id)


def no_member(group_id: str, user_id: str) -> NotFound:
    """Answer the error of a user who is not in a group."""
    return NotFound(f"Could not find user {user_id} in group {group_id}.")


def is_member(session: Session, group_id: str, user_id: str) -> bool:
    """Tell whether a user is in a group."""
    query = sa.select(GroupMemberRow.user_id).where(GroupMemberRow.group_id == group_id, GroupMemberRow.user_id == user_id)
    return session.scalar(query) is not None


def groups_of(session: Session, user_id: str) -> list[Group]:
    """Answer the groups a user is in."""
    ids = session.scalars(sa.select(GroupMemberRow.group_id).where(GroupMemberRow.user_id == user_id))
    return listing(session, Group, ids=ids)


def members_of(session: Session, group_id: str) -> list[User]:
    """Answer the users of a group."""
    return listing(session, User, ids=session.scalars(sa.select(GroupMemberRow.user_id).where(GroupMemberRow.group_id == group_id)))


def assignments(session: Session, /, **equal: str | None) -> list[RoleAssignment]:
    """Answer role assignments whose fields equal the given values (None: not asked)."""
    row = RoleAssignmentRow
    query = sa.select(row).order_by(row.actor_type.desc(), row.actor_id, row.target_type, row.target_id, row.role_id)
    for name, value in equal.items():
        if value is not None:
            query = query.where(getattr(row, name) == value)
    return [_object(RoleAssignment, r) for r in session.scalars(query)]


def grant(session: Session, assignment: RoleAssignment) -> None:
    """Give a role; again is no error."""
    touch(session)
    values = dataclasses.asdict(assignment)
    if not assignments(session, **values):
        session.add(RoleAssignmentRow(**values))


def withdraw(session: Session, assignment: RoleAssignment) -> None:
    """Take a role away. Raises NotFound when it was not given."""
    touch(session)
    where = [getattr(RoleAssignmentRow, name) == value for name, value in dataclasses.asdict(assignment).items()]
    if not session.execute(sa.delete(RoleAssignmentRow).where(*where)).rowcount:  # type: ignore[attr-defined]
        raise NotFound(f"Could not find role assignment with role: {assignment.role_id}, {assignment.actor_type}: "
                       f"{assignment.actor_id}, {assignment.target_type}: {assignment.target_id}.")


def implications(session: Session) -> dict[str, set[str]]:
    """Answer, by role id, the ids of the roles it directly implies."""
    implied: dict[str, set[str]] = {}
    for prior, inferred in session.execute(sa.select(ImpliedRoleRow.prior_role_id, ImpliedRoleRow.implied_role_id)):
        implied.setdefault(prior, set()).add(inferred)
    return implied


def imply(session: Session, prior_role_id: str, implied_role_id: str) -> None:
    """Let a role imply another; again is no error."""
    touch(session)
    if implied_role_id not in implications(session).get(prior_role_id, ()):
        session.add(ImpliedRoleRow(prior_role_id=prior_role_id, implied_role_id=implied_role_id))


def stop_implying(session: Session, prior_role_id: str, implied_role_id: str) -> None:
    """Undo `imply`. Raises NotFound."""
    touch(session)
    row = ImpliedRoleRow
    gone = session.execute(sa.delete(row).where(row.prior_role_id == prior_role_id, row.implied_role_id == implied_role_id))
    if not gone.rowcount:  # type: ignore[attr-defined]
        raise NotFound(f"Role {prior_role_id} does not imply {implied_role_id}.")


def expanded(session: Session, role_ids: Iterable[str]) -> set[str]:
    """Answer these roles and all that they imply."""
    implied = implications(session)
    found: set[str] = set()
    waiting = list(role_ids)
    while waiting:
        role = waiting.pop()
        if role not in found:
            found.add(role)
            waiting.extend(implied.get(role, ()))
    return found


def _actors(user_id: str) -> Any:
    row = RoleAssignmentRow
    groups = sa.select(GroupMemberRow.group_id).where(GroupMemberRow.user_id == user_id)
    return sa.or_(
        sa.and_(row.actor_type == "user", row.actor_id == user_id),
        sa.and_(row.actor_type == "group", row.actor_id.in_(groups)),
    )


def roles_on(session: Session, user_id: str, target_type: str, target_id: str) -> list[Role]:
    """Answer the roles a user has somewhere, by itself or by its groups, implied ones included, ordered by name."""
    row = RoleAssignmentRow
    ids = session.scalars(
        sa.select(row.role_id).where(_actors(user_id), row.target_type == target_type, row.target_id == target_id),
    )
    roles = listing(session, Role, ids=expanded(session, ids))
    return sorted(roles, key=lambda role: role.name)


def targets_of(session: Session, user_id: str, target_type: str) -> set[str]:
    """Answer the ids of the projects, domains or systems on which a user has any role."""
    row = RoleAssignmentRow
    return set(session.scalars(sa.select(row.target_id).where(_actors(user_id), row.target_type == target_type)))
