"""What the local identity service keeps: accounts, roles and the catalog. Ids are Keystone's 32 hexadecimal digits.

Password and secret hashes never leave db/ and identity/local.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A namespace of projects, users and groups."""

    id: str
    name: str
    description: str | None = None
    enabled: bool = True
    tokens_valid_since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What owns servers. `parent_id` is another project or the domain; `extra` are the operator's own keys."""

    id: str
    name: str
    domain_id: str
    parent_id: str
    description: str | None = None
    enabled: bool = True
    tags: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    tokens_valid_since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Someone who may log in. Tokens issued before `tokens_valid_since` (epoch milliseconds) are refused."""

    id: str
    name: str
    domain_id: str
    enabled: bool = True
    default_project_id: str | None = None
    email: str | None = None
    description: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict)
    tokens_valid_since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Users who get roles together."""

    id: str
    name: str
    domain_id: str
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    id: str
    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """A user or group (`actor_type`) has a role on a project, domain or the system (`target_type`; its id is "all")."""

    actor_type: str
    actor_id: str
    target_type: str
    target_id: str
    role_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCredential:
    """A named secret with some of its user's roles on one project. `roles` are role ids."""

    id: str
    user_id: str
    project_id: str
    name: str
    secret_hash: str = field(repr=False)
    roles: list[str]
    created_at: datetime
    description: str | None = None
    unrestricted: bool = False
    access_rules: list[dict[str, str]] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec2Credential:
    """An access key of the EC2 API for one user in one project."""

    access: str
    secret_encrypted: str = field(repr=False)
    user_id: str
    project_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    id: str
    description: str | None = None
    parent_region_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntry:
    """A service of the catalog."""

    id: str
    type: str
    name: str | None = None
    description: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a service of the catalog answers; `url` may hold `%(project_id)s`."""

    id: str
    service_id: str
    interface: str
    url: str
    region_id: str | None = None
    name: str | None = None
    enabled: bool = True
