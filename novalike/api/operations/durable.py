"""Durable operations: accepted in one transaction with the task that does them; a doorbell follows, and a sweep if it is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from novalike.api.operations import notices
from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import acceptance
from novalike.objects.instance import Instance


def accept(
    services: ApiServices, ctxt: RequestContext, instance: Instance, operation: str, *, kind: str, state: Any,
    values: Mapping[str, Any] | None = None,
) -> str:
    """Accept a durable operation (a key of states.DURABLE) and have a conductor begin it; answer the task's id.

    `kind` names the task, `state` is its state dataclass, `values` are columns of the instance to set besides. Admins pass
    the lock. Raises Conflict in Nova's words, NotFound.
    """
    task_id = services.cells.of_instance(instance.uuid).write(
        acceptance.begin_task, instance, operation, kind=kind, state=state, caller=caller_of(ctxt), now=services.clock.now(),
        pass_lock=ctxt.is_admin, values=values,
    )
    notices.accepted(services, ctxt, instance)
    services.doorbell.ring(ctxt, [task_id])
    return task_id
