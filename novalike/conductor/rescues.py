"""Servers which are rescued for too long are booted from their own disks again."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy.orm import Session

from novalike.conductor import notices
from novalike.conductor.actions import send
from novalike.conductor.world import World
from novalike.context import service_context
from novalike.db import block_devices, instance_actions, rescues
from novalike.db.engine import Database
from novalike.exception import Conflict, NotFound, NovalikeError
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.tasks import Caller, Fence

LOG = logging.getLogger(__name__)
ACTION = "unrescue"


class Rescues:
    """Periodic work of a conductor on rescued servers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def end_overdue(self) -> None:
        """Begin to unrescue every server whose rescue is `rescue_timeout` seconds old; its lock is no hindrance."""
        seconds = self._world.conf.rescue_timeout
        if seconds <= 0:
            return
        before = self._world.clock.now() - timedelta(seconds=seconds)
        for cell in self._world.cells:
            for instance in cell.fetch(rescues.overdue, before=before):
                self._end(cell, instance)

    def _end(self, cell: Database, instance: Instance) -> None:
        ctxt = service_context()
        caller = Caller(user_id=instance.user_id, project_id=instance.project_id, request_id=ctxt.request_id)

        def begin(session: Session) -> tuple[Fence, tuple[BlockDevice, ...]]:
            fence = instance_actions.begin(session, instance, ACTION, caller, now=self._world.clock.now(), pass_lock=True)
            return fence, block_devices.of_instance(session, instance.uuid)
        try:
            fence, disks = cell.write(begin)
        except (Conflict, NotFound) as error:
            LOG.info("instance %s is not unrescued now: %s", instance.uuid, error)
            return
        LOG.info("Unrescuing instance %s, which is rescued for more than %d seconds", instance.uuid, self._world.conf.rescue_timeout)
        notices.action_began(self._world, cell, instance.uuid, ACTION, ctxt.request_id)
        try:
            send(self._world, ctxt, instance, ACTION, fence, disks=disks)
        except NovalikeError as error:
            LOG.info("instance %s is ordered to unrescue later: %s", instance.uuid, error)
