"""Resizes which nobody confirms: after a while the control plane does, and it mends what crashes and resets leave of resizes."""

from __future__ import annotations

import logging
from datetime import timedelta

from novalike.conductor.world import World, on_behalf_of
from novalike.db import instances, reservations, resizes, server_migrations
from novalike.db.engine import Database
from novalike.exception import Conflict, Invalid, NotFound

LOG = logging.getLogger(__name__)

#: Milliseconds after which a reservation without a migration is an accept which died half-way.
UNCONFIRMED_AGE = 60_000


class ResizeConfirm:
    """Periodic work of a conductor on resized servers. Safe to run at any time, by several conductors at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    def confirm(self) -> None:
        """Begin to confirm what waits for more than `resize_confirm_window` seconds (0: nothing); a server's lock is no
        hindrance."""
        window = self._world.conf.resize_confirm_window
        if window <= 0:
            return
        before = self._world.clock.now() - timedelta(seconds=window)
        for cell in self._world.cells:
            for uuid in cell.fetch(server_migrations.unconfirmed, before=before):
                if self._begin(cell, uuid):
                    LOG.info("Confirming the resize of instance %s, which nobody did for %d seconds", uuid, window)

    def tidy(self) -> None:
        """Drop the old places of servers which left VERIFY_RESIZE by other means than confirm and revert."""
        for cell in self._world.cells:
            for uuid in cell.fetch(resizes.left_behind):
                if self._begin(cell, uuid, whatever_state=True):
                    LOG.warning("Instance %s was taken out of VERIFY_RESIZE by hand: its resize counts as confirmed", uuid)

    def reserved(self) -> None:
        """Give back the quota of resizes which were never stored, or are over while their conductor died."""
        cells = self._world.cells
        stale = cells.shared.fetch(reservations.older_than, UNCONFIRMED_AGE)
        for name in sorted({one.cell for one in stale}):
            mine = [one.uuid for one in stale if one.cell == name]
            alive = cells.cell(name).fetch(server_migrations.unended, mine)
            for uuid in mine:
                if uuid not in alive:
                    cells.shared.write(reservations.cancel, uuid)
                    LOG.warning("Released the quota reserved by migration %s, which is over or never began", uuid)

    def _begin(self, cell: Database, uuid: str, *, whatever_state: bool = False) -> bool:
        now = self._world.clock.now()
        try:
            instance = cell.fetch(instances.get, uuid)
            cell.write(
                resizes.begin_confirm, instance, on_behalf_of(instance), now=now, pass_lock=True, whatever_state=whatever_state,
            )
        except (Conflict, Invalid, NotFound) as error:
            LOG.debug("the resize of instance %s is not confirmed now: %s", uuid, error)
            return False
        return True                              # the sweep finds the task
