"""Single-host actions: one guarded UPDATE accepts them, one message orders them; a sweep makes up for a lost one."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from novalike.api.operations import notices
from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import block_devices, instance_actions, instances
from novalike.exception import Conflict
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.states import ACTIONS
from novalike.objects.tasks import ActionOrder, Fence
from novalike.rpc.compute import Console, Lifecycle
from novalike.volume import connections


def act(
    services: ApiServices, ctxt: RequestContext, instance: Instance, action: str, *, pass_lock: bool = False,
    arguments: dict[str, str] | None = None,
) -> None:
    """Accept an action (a key of ACTIONS) and have the server's host do it. Raises Conflict in Nova's words, NotFound."""
    def begin(session: Session) -> tuple[Fence, Instance, tuple[BlockDevice, ...]]:
        fence = instance_actions.begin(
            session, instance, action, caller_of(ctxt), now=services.clock.now(), arguments=arguments, pass_lock=pass_lock,
        )
        # A port may have come or gone since the server was read.
        now = replace(instance, network_info=instances.network_info(session, instance.uuid))
        return fence, now, block_devices.of_instance(session, instance.uuid)
    fence, now, disks = services.cells.of_instance(instance.uuid).write(begin)
    send(services, ctxt, now, action, fence, disks, arguments)


def send(
    services: ApiServices, ctxt: RequestContext, instance: Instance, action: str, fence: Fence, disks: tuple[BlockDevice, ...],
    arguments: dict[str, str] | None = None,
) -> None:
    """Order the server's host to do an action which was accepted. Connections of volumes are looked up as it is sent."""
    notices.action_began(services, ctxt, instance, action)
    host = instance.host
    if host is None:                             # it was built in this moment: the sweep knows its host
        return

    def order() -> None:
        services.compute(Lifecycle, host).act(ctxt, order=ActionOrder(
            fence=fence, action=action, instance=instance, vifs=instance.network_info,
            block_devices=connections.complete(services.volumes, caller_of(ctxt), disks),
            deadline=ACTIONS[action].deadline, arguments=arguments or {},
        ))
    services.doorbell.post(order)


def console_output(services: ApiServices, ctxt: RequestContext, instance: Instance, lines: int | None) -> str:
    """Answer the last `lines` lines of the server's console (None: all). Raises Conflict before it has a host, Unavailable."""
    if instance.host is None:
        raise Conflict(f"Instance {instance.uuid} is not ready")
    return str(services.compute(Console, instance.host).console_output(ctxt, instance=instance, tail=lines))
