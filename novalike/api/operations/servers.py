"""Find and change servers without a hypervisor's help: names, metadata, tags, locks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from novalike.api.operations import notices
from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import action_log, instances
from novalike.db.engine import Database
from novalike.exception import Conflict, NotFound
from novalike.objects.instance import Instance
from novalike.objects.states import VmState

#: States in which metadata may be changed.
_METADATA_STATES = frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.SUSPENDED, VmState.STOPPED})


class Servers:
    """The servers which a caller may see, and simple changes of them."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def cell_of(self, uuid: str) -> Database:
        """Answer the database which holds a server. Raises NotFound."""
        return self._services.cells.of_instance(uuid)

    def get(self, ctxt: RequestContext, uuid: str, *, deleted: bool = False, everywhere: bool = False) -> Instance:
        """Answer a server; one of another project is found by admins only, or by any caller `everywhere`. Raises NotFound."""
        if not 0 < len(uuid) <= 36:
            raise NotFound(f"Instance {uuid[:255]} could not be found.")
        project_id = None if ctxt.is_admin or everywhere else ctxt.project_id or ""
        with self.cell_of(uuid).read() as session:
            return instances.get(session, uuid, project_id=project_id, deleted=deleted)

    def change(
        self, ctxt: RequestContext, uuid: str, apply: Callable[[Instance], dict[str, Any]], *, action: str | None = None,
    ) -> Instance:
        """Change fields which the API owns, under the row's lock; with `action` it is noted in the action log."""
        now = self._services.clock.now()
        before: Instance | None = None

        def noted(instance: Instance) -> dict[str, Any]:
            nonlocal before
            before = instance
            return apply(instance)

        def run(session: Session) -> Instance:
            changed = instances.change(session, uuid, now, noted)
            if action is not None:
                action_log.start(session, action, uuid, caller_of(ctxt), now)
            return changed
        changed = self.cell_of(uuid).write(run)
        if before is not None:
            notices.changed(self._services, ctxt, before, changed, action)
        return changed


def check_lock(instance: Instance, *, pass_lock: bool) -> None:
    """Raise Conflict when the server is locked against the caller."""
    if instance.locked_by and not pass_lock:
        raise Conflict(f"Instance {instance.uuid} is locked")


def check_metadata_state(instance: Instance, action: str, *, pass_lock: bool) -> None:
    """Raise Conflict when metadata must not be changed now."""
    check_lock(instance, pass_lock=pass_lock)
    if instance.vm_state not in _METADATA_STATES:
        raise Conflict(f"Cannot '{action}' instance {instance.uuid} while it is in vm_state {instance.vm_state}")
