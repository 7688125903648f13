"""What goes out: each kind of thing in Keystone's form, with its links."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from novalike.api.http.application import Request
from novalike.objects.identity import (
    ApplicationCredential,
    Domain,
    Ec2Credential,
    Endpoint,
    Group,
    Project,
    Region,
    Role,
    ServiceEntry,
    User,
)


def link(request: Request, *parts: str) -> str:
    """Answer the URL of something below /v3."""
    return "/".join((request.base_url, "v3", *parts))


def page(request: Request, name: str, shown: list[dict[str, Any]], *, marker: str | None = None) -> dict[str, Any]:
    """Answer a list with its links; `marker` is the last id of a page which another one follows."""
    address = link(request, *request.path_info.strip("/").split("/")[1:])
    onwards = None
    if marker is not None:
        given = [(key, value) for key, value in request.GET.items() if key != "marker"]
        onwards = f"{address}?{urlencode([*given, ('marker', marker)])}"
    itself = f"{address}?{request.query_string}" if request.query_string else address
    return {name: shown, "links": {"next": onwards, "self": itself, "previous": None}}


def moment(time: datetime | None) -> str | None:
    """Answer a time as Keystone writes it."""
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%S.%f")


def domain(request: Request, item: Domain) -> dict[str, Any]:
    return {
        "id": item.id, "name": item.name, "description": item.description or "", "enabled": item.enabled, "tags": [],
        "options": {}, "links": {"self": link(request, "domains", item.id)},
    }


def project(request: Request, item: Project) -> dict[str, Any]:
    return {
        **item.extra, "id": item.id, "name": item.name, "domain_id": item.domain_id, "parent_id": item.parent_id,
        "description": item.description or "", "enabled": item.enabled, "is_domain": False, "tags": item.tags, "options": {},
        "links": {"self": link(request, "projects", item.id)},
    }


def user(request: Request, item: User) -> dict[str, Any]:
    shown: dict[str, Any] = {
        **item.extra, "id": item.id, "name": item.name, "domain_id": item.domain_id, "enabled": item.enabled,
        "password_expires_at": None, "options": {}, "links": {"self": link(request, "users", item.id)},
    }
    for name in ("default_project_id", "email", "description"):
        if getattr(item, name) is not None:
            shown[name] = getattr(item, name)
    return shown


def group(request: Request, item: Group) -> dict[str, Any]:
    return {
        "id": item.id, "name": item.name, "domain_id": item.domain_id, "description": item.description or "",
        "links": {"self": link(request, "groups", item.id)},
    }


def role(request: Request, item: Role) -> dict[str, Any]:
    return {
        "id": item.id, "name": item.name, "domain_id": None, "description": item.description, "options": {},
        "links": {"self": link(request, "roles", item.id)},
    }


def service(request: Request, item: ServiceEntry) -> dict[str, Any]:
    return {
        "id": item.id, "type": item.type, "name": item.name or "", "description": item.description or "",
        "enabled": item.enabled, "links": {"self": link(request, "services", item.id)},
    }


def endpoint(request: Request, item: Endpoint) -> dict[str, Any]:
    return {
        "id": item.id, "interface": item.interface, "region_id": item.region_id, "region": item.region_id,
        "service_id": item.service_id, "url": item.url, "enabled": item.enabled, **({"name": item.name} if item.name else {}),
        "links": {"self": link(request, "endpoints", item.id)},
    }


def region(request: Request, item: Region) -> dict[str, Any]:
    return {
        "id": item.id, "description": item.description or "", "parent_region_id": item.parent_region_id,
        "links": {"self": link(request, "regions", item.id)},
    }


def access_rules(item: ApplicationCredential) -> list[dict[str, str]]:
    """Answer an application credential's access rules, each with the id which it has with this user."""
    return [
        {"id": uuid.uuid5(uuid.NAMESPACE_URL, f"{item.user_id} {rule['service']} {rule['method']} {rule['path']}").hex, **rule}
        for rule in item.access_rules or ()
    ]


def application_credential(
    request: Request, item: ApplicationCredential, roles: Iterable[Role], *, secret: str | None = None,
) -> dict[str, Any]:
    """Answer an application credential; its secret only where it was just made."""
    shown: dict[str, Any] = {
        "id": item.id, "name": item.name, "description": item.description, "user_id": item.user_id,
        "project_id": item.project_id, "unrestricted": item.unrestricted, "expires_at": moment(item.expires_at),
        "roles": [{"id": r.id, "name": r.name, "domain_id": None} for r in roles if r.id in item.roles],
        "links": {"self": link(request, "users", item.user_id, "application_credentials", item.id)},
    }
    if item.access_rules is not None:
        shown["access_rules"] = access_rules(item)
    if secret is not None:
        shown["secret"] = secret
    return shown


def ec2_credential(request: Request, item: Ec2Credential, secret: str) -> dict[str, Any]:
    return {
        "access": item.access, "secret": secret, "user_id": item.user_id, "tenant_id": item.project_id, "trust_id": None,
        "links": {"self": link(request, "users", item.user_id, "credentials", "OS-EC2", item.access)},
    }
