"""What other services tell of servers: ports that changed or went, volumes that grew."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import instances, port_cache, tasks
from novalike.exception import Forbidden, NotFound, Unavailable
from novalike.objects.instance import Instance

LOG = logging.getLogger(__name__)

NETWORK_CHANGED, VIF_PLUGGED, VIF_UNPLUGGED, VIF_DELETED = (
    "network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted",
)
VOLUME_EXTENDED, POWER_UPDATE, ACCELERATOR_BOUND, VOLUME_REIMAGED = (
    "volume-extended", "power-update", "accelerator-request-bound", "volume-reimaged",
)
#: Events which mean nothing without a tag (a volume, a power state, an accelerator request).
_TAGGED = frozenset({VOLUME_EXTENDED, POWER_UPDATE, ACCELERATOR_BOUND, VOLUME_REIMAGED})
_REFRESHING = frozenset({NETWORK_CHANGED, VIF_PLUGGED, VIF_UNPLUGGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalEvent:
    """One event. `tag` names the port, volume or state it is about."""

    name: str
    server_uuid: str
    status: str = "completed"
    tag: str | None = None


def dispatch(services: ApiServices, ctxt: RequestContext, events: Sequence[ExternalEvent]) -> list[int]:
    """Take events in; answer an HTTP code for each: 200, 404 (no such server), 400 (its tag is missing), 422 (no host yet).

    A network service which does not answer makes nothing fail: its next event says the same again.
    """
    found = {uuid: _find(services, uuid) for uuid in dict.fromkeys(event.server_uuid for event in events)}
    codes = [_code(event, found[event.server_uuid]) for event in events]
    accepted = [event for event, code in zip(events, codes, strict=True) if code == 200]
    for uuid in dict.fromkeys(event.server_uuid for event in accepted if event.name in _REFRESHING):
        _refresh(services, ctxt, found[uuid])
    for event in accepted:
        _handle(services, ctxt, event, found[event.server_uuid])
    return codes


def _find(services: ApiServices, uuid: str) -> Instance | None:
    try:
        return services.cells.of_instance(uuid).fetch(instances.get, uuid)
    except NotFound:
        return None


def _code(event: ExternalEvent, instance: Instance | None) -> int:
    if instance is None:
        return 404
    if event.name in _TAGGED and not event.tag:
        return 400
    return 200 if instance.host is not None else 422


def _refresh(services: ApiServices, ctxt: RequestContext, instance: Instance | None) -> None:
    assert instance is not None
    try:
        current = services.networks.info(caller_of(ctxt), instance.uuid)
        services.cells.of_instance(instance.uuid).write(port_cache.refresh, instance.uuid, current)
    except NotFound:
        LOG.debug("instance %s was deleted while its ports were looked at", instance.uuid)
    except (Unavailable, Forbidden) as error:
        LOG.warning("the ports of instance %s could not be looked at: %s", instance.uuid, error)


def _handle(services: ApiServices, ctxt: RequestContext, event: ExternalEvent, instance: Instance | None) -> None:
    assert instance is not None
    if event.name == VIF_DELETED:
        _port_is_gone(services, ctxt, instance, event.tag)
        return
    if event.name == VIF_PLUGGED:
        task_id = services.cells.of_instance(instance.uuid).write(tasks.hint, instance.uuid, tasks.AWAIT_PORTS)
        if task_id is not None:
            services.doorbell.ring(ctxt, [task_id])
    if event.name not in _REFRESHING:
        # Volumes are to come.
        LOG.info("instance %s: %s %s (%s)", instance.uuid, event.name, event.tag or "", event.status)


def _port_is_gone(services: ApiServices, ctxt: RequestContext, instance: Instance, port_id: str | None) -> None:
    """Have a port which was deleted behind our back taken from the guest, too."""
    cell = services.cells.of_instance(instance.uuid)
    if not any(vif.port_id == port_id for vif in instance.network_info):
        return
    try:
        task_id = port_cache.let_go(cell, instance, port_id or "", caller_of(ctxt), now=services.clock.now())
    except NotFound:
        return
    if task_id is not None:
        services.doorbell.ring(ctxt, [task_id])
