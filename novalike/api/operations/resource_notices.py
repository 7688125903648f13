"""What the API tells of flavors, key pairs, aggregates, services and server groups, after it changed them. Events which Nova
tells at the begin of a change are told after its commit as well: of a change which was refused nobody hears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import flavors
from novalike.exception import NotFound
from novalike.notifications import objects
from novalike.notifications.notifier import API, COMPUTE
from novalike.objects.aggregate import Aggregate
from novalike.objects.flavor import Flavor
from novalike.objects.host import Service
from novalike.objects.keypair import Keypair
from novalike.objects.server_group import ServerGroup


@dataclass(frozen=True, slots=True)
class SeenFlavor:
    """A flavor and the projects which may use it."""

    flavor: Flavor
    projects: tuple[str, ...]


def look_at_flavor(services: ApiServices, flavorid: str) -> SeenFlavor | None:
    """Answer how a flavor looks now, if anybody is to be told; None also when there is none."""
    if not services.notifier.enabled:
        return None

    def look(session: Session) -> SeenFlavor:
        found = flavors.get_by_flavorid(session, flavorid, None, True)
        return SeenFlavor(found, () if found.is_public else tuple(flavors.list_access(session, flavorid)))
    try:
        return services.cells.shared.fetch(look)
    except NotFound:
        return None


def flavor(services: ApiServices, ctxt: RequestContext, action: str, seen: SeenFlavor | None) -> None:
    """Tell that a flavor was created, updated (its description, extra specs or access) or deleted."""
    if seen is not None:
        _tell(services, ctxt, f"flavor.{action}", lambda: objects.flavor(seen.flavor, projects=seen.projects))


def keypair(services: ApiServices, ctxt: RequestContext, action: str, value: Keypair) -> None:
    """Tell that a key pair was made (`create`: here; `import`: given) or deleted."""
    if not services.notifier.enabled:
        return
    began = value
    if action in {"create", "import"}:
        began = replace(value, fingerprint="", public_key=value.public_key if action == "import" else "")
    flat = {"tenant_id": ctxt.project_id, "user_id": value.user_id, "key_name": value.name}
    for phase, shown in (("start", began), ("end", value)):
        event = f"keypair.{action}.{phase}"
        _tell(services, ctxt, event, lambda shown=shown: objects.keypair(shown), old=(event, flat))  # type: ignore[misc]


def aggregate(
    services: ApiServices, ctxt: RequestContext, action: str, before: Aggregate, after: Aggregate, **changes: Any,
) -> None:
    """Tell that an aggregate was changed: create, delete, add_host, remove_host, update_metadata or update_prop."""
    if not services.notifier.enabled:
        return
    flat = {"aggregate_id": after.id, "name": after.name, **changes}
    for phase, shown in (("start", before), ("end", after)):
        old = (f"aggregate.{action.replace('_', '')}.{phase}", flat)
        _tell(
            services, ctxt, f"aggregate.{action}.{phase}", lambda shown=shown: objects.aggregate(shown), old=old,  # type: ignore[misc]
            publisher=f"aggregate.{after.id}",
        )


def service(services: ApiServices, ctxt: RequestContext, action: str, value: Service, binary: str) -> None:
    """Tell that a daemon was enabled, disabled or forced down (`update`), or forgotten (`delete`); `binary` is Nova's name."""
    source = f"{COMPUTE}:{value.host}" if binary == COMPUTE else None
    _tell(services, ctxt, f"service.{action}", lambda: objects.service(value, binary), by=source)


def server_group(services: ApiServices, ctxt: RequestContext, action: str, value: ServerGroup) -> None:
    """Tell that a server group was created or deleted."""
    flat = {"server_group_id": value.uuid, "name": value.name, "policies": [value.policy]}
    _tell(
        services, ctxt, f"server_group.{action}", lambda: objects.server_group(value), old=(f"servergroup.{action}", flat),
        publisher=f"servergroup.{services.conf.host}",
    )


def _tell(
    services: ApiServices, ctxt: RequestContext, event: str, payload: Callable[[], dict[str, Any]], *,
    old: tuple[str, dict[str, Any]] | None = None, publisher: str | None = None, by: str | None = None,
) -> None:
    if services.notifier.enabled:
        host = services.conf.host
        services.notifier.resource(
            event, payload, caller=caller_of(ctxt), publisher=by or f"{API}:{host}",
            unversioned=(publisher or f"api.{host}", *old) if old is not None else None,
        )
