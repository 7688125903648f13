"""GLOBAL: the local identity service: domains, projects, users, roles, who has which role where, and the service catalog.

Ids are Keystone's: 32 hexadecimal digits, but `default` for the first domain. `tokens_valid_since` is epoch milliseconds:
tokens issued before it are refused (password changed, account disabled).
"""

from __future__ import annotations

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import (
    GlobalBase,
    Json,
    Name,
    OptName,
    OptText,
    OptTime,
    OptWord,
    Stamp,
    Time,
    Word,
    table_args,
)


class IdentityRevisionRow(GlobalBase):
    """One row, moved by every change which may affect a token or the catalog: caches of tokens follow it."""

    __tablename__ = "identity_revision"
    __table_args__ = table_args()

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[Stamp]


class DomainRow(GlobalBase):
    __tablename__ = "domains"
    __table_args__ = table_args(Index("uq_domains_name", "name", unique=True))

    id: Mapped[Word] = mapped_column(primary_key=True)
    name: Mapped[Name]
    description: Mapped[OptText]
    enabled: Mapped[int] = mapped_column(default=1)
    tokens_valid_since: Mapped[Stamp] = mapped_column(default=0)


class ProjectRow(GlobalBase):
    __tablename__ = "projects"
    __table_args__ = table_args(
        Index("uq_projects_domain_name", "domain_id", "name", unique=True),
        Index("ix_projects_parent", "parent_id"),
    )

    id: Mapped[Word] = mapped_column(primary_key=True)
    name: Mapped[Name]
    domain_id: Mapped[Word]
    parent_id: Mapped[Word]                      # another project, or the domain itself
    description: Mapped[OptText]
    enabled: Mapped[int] = mapped_column(default=1)
    tags: Mapped[Json]
    extra: Mapped[Json]
    tokens_valid_since: Mapped[Stamp] = mapped_column(default=0)


class UserRow(GlobalBase):
    __tablename__ = "users"
    __table_args__ = table_args(Index("uq_users_domain_name", "domain_id", "name", unique=True))

    id: Mapped[Word] = mapped_column(primary_key=True)
    name: Mapped[Name]
    domain_id: Mapped[Word]
    enabled: Mapped[int] = mapped_column(default=1)
    default_project_id: Mapped[OptWord]
    email: Mapped[OptName]
    description: Mapped[OptText]
    password_hash: Mapped[str | None] = mapped_column(String(128))
    extra: Mapped[Json]
    tokens_valid_since: Mapped[Stamp] = mapped_column(default=0)


class GroupRow(GlobalBase):
    __tablename__ = "user_groups"
    __table_args__ = table_args(Index("uq_user_groups_domain_name", "domain_id", "name", unique=True))

    id: Mapped[Word] = mapped_column(primary_key=True)
    name: Mapped[Name]
    domain_id: Mapped[Word]
    description: Mapped[OptText]


class GroupMemberRow(GlobalBase):
    __tablename__ = "user_group_members"
    __table_args__ = table_args(Index("ix_user_group_members_user", "user_id"))

    group_id: Mapped[Word] = mapped_column(primary_key=True)
    user_id: Mapped[Word] = mapped_column(primary_key=True)


class RoleRow(GlobalBase):
    __tablename__ = "roles"
    __table_args__ = table_args(Index("uq_roles_name", "name", unique=True))

    id: Mapped[Word] = mapped_column(primary_key=True)
    name: Mapped[Name]
    description: Mapped[OptText]


class ImpliedRoleRow(GlobalBase):
    __tablename__ = "implied_roles"
    __table_args__ = table_args()

    prior_role_id: Mapped[Word] = mapped_column(primary_key=True)
    implied_role_id: Mapped[Word] = mapped_column(primary_key=True)


class RoleAssignmentRow(GlobalBase):
    """A user or group has a role on a project, a domain, or the system (`target_id` "all")."""

    __tablename__ = "role_assignments"
    __table_args__ = table_args(
        Index("ix_role_assignments_target", "target_type", "target_id"),
        Index("ix_role_assignments_role", "role_id"),
    )

    actor_type: Mapped[str] = mapped_column(String(8), primary_key=True)    # user, group
    actor_id: Mapped[Word] = mapped_column(primary_key=True)
    target_type: Mapped[str] = mapped_column(String(8), primary_key=True)   # project, domain, system
    target_id: Mapped[Word] = mapped_column(primary_key=True)
    role_id: Mapped[Word] = mapped_column(primary_key=True)


class ApplicationCredentialRow(GlobalBase):
    """`roles` are role ids; `access_rules` is null (no restriction) or a list of {service, method, path}."""

    __tablename__ = "application_credentials"
    __table_args__ = table_args(
        Index("uq_application_credentials_user_name", "user_id", "name", unique=True),
        Index("ix_application_credentials_project", "project_id"),
    )

    id: Mapped[Word] = mapped_column(primary_key=True)
    user_id: Mapped[Word]
    project_id: Mapped[Word]
    name: Mapped[Name]
    description: Mapped[OptText]
    secret_hash: Mapped[str] = mapped_column(String(128))
    roles: Mapped[Json]
    unrestricted: Mapped[int] = mapped_column(default=0)
    access_rules: Mapped[Json | None]
    expires_at: Mapped[OptTime]
    created_at: Mapped[Time]


class Ec2CredentialRow(GlobalBase):
    """The secret signs requests, so it must be readable again: it is encrypted with the service's credential key."""

    __tablename__ = "ec2_credentials"
    __table_args__ = table_args(Index("ix_ec2_credentials_user", "user_id"), Index("ix_ec2_credentials_project", "project_id"))

    access: Mapped[Word] = mapped_column(primary_key=True)
    secret_encrypted: Mapped[str] = mapped_column(String(512))
    user_id: Mapped[Word]
    project_id: Mapped[Word]
    created_at: Mapped[Time]


class RegionRow(GlobalBase):
    __tablename__ = "regions"
    __table_args__ = table_args()

    id: Mapped[Name] = mapped_column(primary_key=True)
    description: Mapped[OptText]
    parent_region_id: Mapped[OptName]


class ServiceEntryRow(GlobalBase):
    """A service of the catalog (`services` is the table of daemons)."""

    __tablename__ = "catalog_services"
    __table_args__ = table_args(Index("ix_catalog_services_type", "type"))

    id: Mapped[Word] = mapped_column(primary_key=True)
    type: Mapped[Name]
    name: Mapped[OptName]
    description: Mapped[OptText]
    enabled: Mapped[int] = mapped_column(default=1)


class EndpointRow(GlobalBase):
    __tablename__ = "catalog_endpoints"
    __table_args__ = table_args(Index("ix_catalog_endpoints_service", "service_id"))

    id: Mapped[Word] = mapped_column(primary_key=True)
    service_id: Mapped[Word]
    interface: Mapped[str] = mapped_column(String(8))  # public, internal, admin
    region_id: Mapped[OptName]
    url: Mapped[str] = mapped_column(String(2048))
    name: Mapped[OptName]
    enabled: Mapped[int] = mapped_column(default=1)


class RevocationRow(GlobalBase):
    """One token which was revoked by itself; forgotten once it would have expired anyway."""

    __tablename__ = "token_revocations"
    __table_args__ = table_args(Index("ix_token_revocations_expires", "expires_at"))

    audit_id: Mapped[Word] = mapped_column(primary_key=True)
    expires_at: Mapped[Stamp]
