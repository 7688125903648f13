"""Delete servers."""

from __future__ import annotations

from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import deletions
from novalike.objects.instance import Instance


def delete(services: ApiServices, ctxt: RequestContext, instance: Instance, *, pass_lock: bool = False) -> None:
    """Accept a delete, which wins over whatever runs. Again is fine. Raises NotFound, and Conflict when locked."""
    task_id = services.cells.of_instance(instance.uuid).write(
        deletions.begin, instance.uuid, caller_of(ctxt), now=services.clock.now(), pass_lock=pass_lock,
    )
    services.doorbell.ring(ctxt, [task_id])
