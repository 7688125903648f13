"""What was done to a server, as the API shows it."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request
from novalike.api.openstack.pruning import Keys
from novalike.api.openstack.views.servers import host_id
from novalike.api.openstack.views.times import iso
from novalike.objects.instance_action import ActionEvent, InstanceAction

_ACTION = Keys({"updated_at": ("2.58", None)})
_EVENT = Keys({"hostId": ("2.62", None), "host": ("2.62", None), "details": ("2.84", None)})


def action(request: Request, done: InstanceAction) -> dict[str, Any]:
    """Answer one action without its events."""
    return _ACTION.prune({
        "action": done.action, "instance_uuid": done.instance_uuid, "request_id": done.request_id, "user_id": done.user_id,
        "project_id": done.project_id, "start_time": iso(done.start_time), "message": done.message,
        "updated_at": iso(done.updated_at),
    }, request.version)


def event(request: Request, step: ActionEvent, project_id: str, *, inner: bool, details: bool) -> dict[str, Any]:
    """Answer one event of an action; `inner` shows traceback and host, `details` the message of a failure."""
    shown: dict[str, Any] = {
        "event": step.event, "start_time": iso(step.start_time), "finish_time": iso(step.finish_time), "result": step.result,
        "hostId": host_id(project_id, step.host),
    }
    if inner:
        shown |= {"traceback": step.traceback, "host": step.host}
    if details:
        shown["details"] = step.details
    return _EVENT.prune(shown, request.version)
