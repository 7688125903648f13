"""Shelved servers whose time on their host is over leave it."""

from __future__ import annotations

import logging
from datetime import timedelta

from novalike.conductor.world import World, on_behalf_of
from novalike.db import acceptance, shelving
from novalike.exception import Conflict, NotFound
from novalike.objects.snapshot_tasks import SHELVE_OFFLOAD, OffloadState

LOG = logging.getLogger(__name__)


class Shelved:
    """Periodic work of a conductor on shelved servers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def offload(self) -> None:
        """Begin to take every server off its host which was shelved `shelved_offload_time` seconds ago; its lock is no hindrance."""
        age = self._world.conf.shelved_offload_time
        if age < 0:
            return
        now = self._world.clock.now()
        for cell in self._world.cells:
            for instance in cell.fetch(shelving.due, before=now - timedelta(seconds=age)):
                try:
                    cell.write(
                        acceptance.begin_task, instance, "shelve_offload", kind=SHELVE_OFFLOAD,
                        state=OffloadState(host=instance.host or ""), caller=on_behalf_of(instance), now=now, pass_lock=True,
                    )
                except (Conflict, NotFound) as error:
                    LOG.info("instance %s stays on its host for now: %s", instance.uuid, error)
                    continue
                LOG.info("Instance %s, shelved %d seconds ago, leaves its host", instance.uuid, age)
