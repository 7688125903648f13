"""POST /servers/{id}/action: one handler per action word. Words that are not built stand in not_built.py."""

from __future__ import annotations

import re
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.http.schema import wrapped
from novalike.api.openstack.schemas import server_actions as schemas
from novalike.api.operations import delete as deletes
from novalike.api.operations import lifecycle, notices
from novalike.api.operations.create import caller_of
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.db import mappings, state_resets
from novalike.objects.instance import Instance
from novalike.objects.states import VmState

_PATH = "/servers/{id}/action"
_API = "os_compute_api"
#: Control characters, which clients' terminals must not get; tabs and line feeds stay.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")


class _Actions:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["id"])

    def _act(self, request: Request, action: str) -> None:
        lifecycle.act(
            self._services, request.context, self._instance(request), action, pass_lock=request.context.is_admin,
        )

    def reboot(self, request: Request) -> None:
        self._act(request, f"reboot_{request.body_value['reboot']['type'].lower()}")

    def console_output(self, request: Request) -> dict[str, Any]:
        length = request.body_value["os-getConsoleOutput"].get("length")
        lines = None if length is None or int(length) == -1 else max(0, int(length))
        text = lifecycle.console_output(self._services, request.context, self._instance(request), lines)
        return {"output": _CONTROL.sub("", text)}

    def force_delete(self, request: Request) -> None:
        deletes.destroy(self._services, request.context, self._instance(request), pass_lock=request.context.is_admin)

    def restore(self, request: Request) -> None:
        deletes.restore(self._services, request.context, self._instance(request), pass_lock=request.context.is_admin)

    def single(self, action: str) -> Any:
        """Answer the handler of a single-host action which takes no arguments."""
        return lambda request: self._act(request, action)

    def lock(self, request: Request) -> None:
        instance = self._instance(request)
        body = request.body_value["lock"]
        reason = body.get("locked_reason") if isinstance(body, dict) and request.version >= (2, 73) else None
        owner = instance.project_id == request.context.project_id

        def apply(now: Instance) -> dict[str, Any]:
            if now.locked_by and owner:
                return {}                        # a second lock by its owner changes nothing, not even the reason
            return {"locked_by": "owner" if owner else "admin", "locked_reason": reason}
        self._servers.change(request.context, instance.uuid, apply, action="lock")

    def unlock(self, request: Request) -> None:
        instance = self._instance(request)
        expected = "owner" if instance.project_id == request.context.project_id else "admin"
        if instance.locked_by and instance.locked_by != expected:
            request.authorize(f"{_API}:os-lock-server:unlock:unlock_override")
        self._servers.change(
            request.context, instance.uuid, lambda _: {"locked_by": None, "locked_reason": None}, action="unlock",
        )

    def reset_state(self, request: Request) -> None:
        instance = self._instance(request)
        undone = self._servers.cell_of(instance.uuid).write(
            state_resets.reset, instance.uuid, VmState(request.body_value["os-resetState"]["state"]), caller_of(request.context),
            now=self._services.clock.now(),
        )
        if undone is not None:
            self._services.doorbell.ring(request.context, [undone])
        if instance.vm_state == VmState.SOFT_DELETED:
            self._services.cells.shared.write(mappings.hold, instance.uuid)     # no longer deleted: it counts again
        notices.accepted(self._services, request.context, instance)


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of actions on servers."""
    of = _Actions(services)

    def action(word: str, handler: Any, rule: str, body: Any, *, status: int = 202, since: str | None = None) -> Route:
        return Route(
            method="POST", path=_PATH, action=word, handler=handler, rule=f"{_API}:{rule}", body=body, status=status, since=since,
        )

    def plain(word: str, handler: Any, rule: str) -> Route:
        return action(word, handler, rule, wrapped(word, schemas.ANYTHING))
    return (
        plain("os-start", of.single("start"), "servers:start"),
        plain("os-stop", of.single("stop"), "servers:stop"),
        plain("pause", of.single("pause"), "os-pause-server:pause"),
        plain("unpause", of.single("unpause"), "os-pause-server:unpause"),
        plain("suspend", of.single("suspend"), "os-suspend-server:suspend"),
        plain("resume", of.single("resume"), "os-suspend-server:resume"),
        plain("restore", of.restore, "os-deferred-delete:restore"),
        action("trigger_crash_dump", of.single("trigger_crash_dump"), "servers:trigger_crash_dump", schemas.CRASH_DUMP, since="2.17"),
        action("reboot", of.reboot, "servers:reboot", schemas.REBOOT),
        action("os-getConsoleOutput", of.console_output, "os-console-output", schemas.CONSOLE_OUTPUT, status=200),
        plain("forceDelete", of.force_delete, "os-deferred-delete:force"),
        action("lock", of.lock, "os-lock-server:lock", schemas.LOCK),
        plain("unlock", of.unlock, "os-lock-server:unlock"),
        action("os-resetState", of.reset_state, "os-admin-actions:reset_state", schemas.RESET_STATE),
    )
