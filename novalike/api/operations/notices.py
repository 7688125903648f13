"""What the API tells of: actions and operations it accepted, changes it made itself. Called after the commit, costs nothing
where notifications are off."""

from __future__ import annotations

from collections.abc import Iterable

from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import sights
from novalike.notifications import events
from novalike.notifications.notifier import API
from novalike.objects.instance import Instance
from novalike.objects.notification import Sight
from novalike.objects.tasks import Caller


def action_began(services: ApiServices, ctxt: RequestContext, before: Instance, action: str) -> None:
    """Tell that a single-host action (a key of ACTIONS) was accepted and begins; `before` is the server as it was."""
    if not services.notifier.enabled:
        return
    sight = _look(services, before.uuid)
    if sight is None:
        return
    caller = _caller(ctxt)
    if action in events.OF_ACTION:
        services.notifier.action(events.OF_ACTION[action], events.START, sight, caller=caller)
    _states_changed(services, before, sight, caller)


def accepted(services: ApiServices, ctxt: RequestContext, before: Instance) -> None:
    """Tell the change of state by which a durable operation was accepted; the operation itself is told by the conductor."""
    if services.notifier.enabled and services.notifier.states:
        sight = _look(services, before.uuid)
        if sight is not None:
            _states_changed(services, before, sight, _caller(ctxt))


def created(services: ApiServices, ctxt: RequestContext, instances: Iterable[Instance]) -> None:
    """Tell that servers are being built which were not there before."""
    if services.notifier.enabled and services.notifier.states:
        for instance in instances:
            sight = Sight(instance=instance, disks=() if services.notifier.disks else None)
            services.notifier.updated(None, sight, caller=_caller(ctxt), source=API)


def changed(services: ApiServices, ctxt: RequestContext, before: Instance, after: Instance, action: str | None = None) -> None:
    """Tell that the API changed a server: locked or unlocked it (`action`), its name, metadata, tags ..."""
    notifier = services.notifier
    if not notifier.enabled:
        return
    sight = _look(services, after.uuid) if notifier.disks else None
    sight = Sight(instance=after, disks=sight.disks if sight is not None else None)
    if action in events.EVENTS:
        notifier.action(action, None, sight, caller=_caller(ctxt), source=API)
    notifier.updated(before, sight, caller=_caller(ctxt), source=API, always=before.tags != after.tags)


def _look(services: ApiServices, uuid: str) -> Sight | None:
    return services.cells.of_instance(uuid).fetch(sights.look, uuid, disks=services.notifier.disks)


def _states_changed(services: ApiServices, before: Instance, sight: Sight, caller: Caller) -> None:
    after = sight.instance
    if (before.vm_state, before.task_state) != (after.vm_state, after.task_state):
        services.notifier.updated(before, sight, caller=caller, source=API)


def _caller(ctxt: RequestContext) -> Caller:
    return Caller(user_id=ctxt.user_id or "", project_id=ctxt.project_id or "", request_id=ctxt.request_id)
