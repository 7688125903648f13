"""Soft-deleted servers whose time is over are deleted for good."""

from __future__ import annotations

import logging
from datetime import timedelta

from novalike.conductor.world import World, on_behalf_of
from novalike.db import deletions, mappings, soft_deletes
from novalike.exception import NotFound

LOG = logging.getLogger(__name__)

#: Seconds after which a soft delete which ended has had time to give its quota back.
SETTLED = 60


class Reclaim:
    """Periodic work of a conductor on soft-deleted servers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reclaim(self) -> None:
        """Begin to delete every server which was soft-deleted `reclaim_instance_interval` seconds ago; its lock is no hindrance."""
        interval = self._world.conf.reclaim_instance_interval
        if interval <= 0:
            return
        now = self._world.clock.now()
        for cell in self._world.cells:
            for instance in cell.fetch(soft_deletes.due, before=now - timedelta(seconds=interval)):
                try:
                    cell.write(deletions.begin, instance.uuid, on_behalf_of(instance), now=now, pass_lock=True)
                except NotFound:
                    continue
                LOG.info("Reclaiming instance %s, which was soft-deleted %d seconds ago", instance.uuid, interval)

    def quota(self) -> None:
        """Give back the quota of soft-deleted servers whose conductor died before it could."""
        before = self._world.clock.now() - timedelta(seconds=SETTLED)
        for cell in self._world.cells:
            uuids = [instance.uuid for instance in cell.fetch(soft_deletes.due, before=before)]
            for uuid in self._world.cells.shared.fetch(mappings.counted, uuids):
                self._world.cells.shared.write(mappings.release, uuid)
