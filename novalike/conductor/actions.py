"""Single-host actions: sent again when a host is silent, ended when their deadline passes, begun to correct power states."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from novalike.conductor import notices
from novalike.conductor.world import World
from novalike.context import RequestContext, service_context
from novalike.db import block_devices, instance_actions, instances, mappings
from novalike.db.engine import Database
from novalike.exception import Conflict, NotFound, NovalikeError
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.states import ACTIONS
from novalike.objects.tasks import ActionOrder, Caller, Fence, Outcome, PowerChange
from novalike.rpc.compute import Lifecycle
from novalike.volume import connections

LOG = logging.getLogger(__name__)
#: What the ends of some actions mean for the project's quota. A crash in between is made good by a reconciler.
QUOTA = {"soft_delete": mappings.release, "restore": mappings.hold}


def send(
    world: World, ctxt: RequestContext, instance: Instance, action: str, fence: Fence, *, disks: tuple[BlockDevice, ...],
    arguments: dict[str, str] | None = None,
) -> None:
    """Order the instance's host to do an action."""
    assert instance.host is not None
    caller = Caller(user_id=instance.user_id, project_id=instance.project_id, request_id=ctxt.request_id)
    order = ActionOrder(
        fence=fence, action=action, instance=instance, vifs=instance.network_info,
        block_devices=connections.complete(world.volumes, caller, disks),
        deadline=ACTIONS[action].deadline, arguments=arguments or {},
    )
    world.compute(Lifecycle, instance.host).act(ctxt, order=order)


class Actions:
    """The sweep over running actions of one cell."""

    def __init__(self, world: World, cell: Database) -> None:
        self._world = world
        self._cell = cell

    def sweep(self) -> None:
        """Send silent actions again, and end those whose deadline passed."""
        for due in self._cell.write(instance_actions.due):
            rule = ACTIONS.get(due.action)
            if rule is None or due.overdue:
                seconds = rule.deadline if rule is not None else 0
                self.finish(Outcome(
                    fence=due.fence, host=due.instance.host or "",
                    error=f"The host did not finish the action '{due.action}' within {seconds} seconds.",
                ))
                continue
            try:
                send(self._world, service_context(), due.instance, due.action, due.fence, disks=due.block_devices, arguments=due.arguments)
            except NovalikeError as error:
                LOG.info("action %s of instance %s is sent again later: %s", due.action, due.instance.uuid, error)

    def finish(self, outcome: Outcome) -> bool:
        """End the action which an outcome belongs to; False when it is over already or the server is in other hands."""
        ended = notices.finish_action(self._world, self._cell, outcome)
        if ended is None:
            return False
        if ended.error is None and ended.action in QUOTA:
            self._world.cells.shared.write(QUOTA[ended.action], ended.instance_uuid)
        return True

    def follow_power(self, ctxt: RequestContext, change: PowerChange) -> None:
        """A guest changed power state by itself: follow it, or begin what brings it back to what its user asked for."""
        now = self._world.clock.now()
        correction = notices.power_changed(self._world, self._cell, change)
        if correction is None:
            return

        def begin(session: Session) -> tuple[Instance, Fence, tuple[BlockDevice, ...]]:
            instance = instances.get(session, change.instance_uuid)
            caller = Caller(user_id=instance.user_id, project_id=instance.project_id, request_id=ctxt.request_id)
            fence = instance_actions.begin(session, instance, correction, caller, now=now, force=True)
            return instance, fence, block_devices.of_instance(session, instance.uuid)
        try:
            instance, fence, disks = self._cell.write(begin)
            notices.action_began(self._world, self._cell, instance.uuid, correction, ctxt.request_id)
            send(self._world, ctxt, instance, correction, fence, disks=disks)
        except (Conflict, NotFound) as error:
            LOG.info("power state of instance %s is not corrected now: %s", change.instance_uuid, error)
