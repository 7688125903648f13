"""Periodic repairs which take no input: what a crash between two databases may leave behind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from novalike.conductor.world import World
from novalike.db import console_tokens, idempotency, instances, mappings, repairs

LOG = logging.getLogger(__name__)

#: Milliseconds after which a quota row without an instance is an accept which died half-way.
UNCONFIRMED_AGE = 60_000


class Reconcilers:
    """All repairs of one control plane; each is safe to run at any time, by several conductors at once."""

    def __init__(self, world: World, more: Sequence[Callable[[], None]] = ()) -> None:
        self._world = world
        self._more = tuple(more)

    def run(self) -> None:
        """Run every repair; one that fails does not keep the others from running."""
        for repair in (self.quota_rows, self.claims, self.console_tokens, self.idempotency_keys, *self._more):
            try:
                repair()
            except Exception:
                LOG.exception("repair %s failed", repair.__name__)

    def quota_rows(self) -> None:
        """Quota rows (and mappings) of accepts which died before they wrote the instance are removed; others are confirmed."""
        cells = self._world.cells
        for cell_name, uuids in cells.shared.fetch(mappings.unconfirmed, UNCONFIRMED_AGE).items():
            found = cells.cell(cell_name).fetch(instances.existing, uuids)
            orphans = [uuid for uuid in uuids if uuid not in found]

            cells.shared.write(_settle, sorted(found), orphans)
            if orphans:
                LOG.warning("released the quota of %d servers which were never stored", len(orphans))

    def claims(self) -> None:
        """Claims of instances which are gone are released."""
        for cell in self._world.cells:
            released = cell.write(repairs.release_orphan_claims, now=self._world.clock.now())
            if released:
                LOG.warning("released %d claims whose instances are gone", released)

    def console_tokens(self) -> None:
        """Tokens of consoles which expired are removed."""
        for cell in self._world.cells:
            while cell.write(console_tokens.remove_expired) == console_tokens.BATCH:
                LOG.debug("removed %d expired console tokens", console_tokens.BATCH)

    def idempotency_keys(self) -> None:
        """Keys of requests which nobody repeats any more are removed."""
        while self._world.cells.shared.write(idempotency.expire) == idempotency.BATCH:
            LOG.debug("removed %d expired idempotency keys", idempotency.BATCH)


def _settle(session: Session, confirmed: list[str], orphans: list[str]) -> None:
    mappings.confirm(session, confirmed)
    mappings.forget(session, orphans, age=UNCONFIRMED_AGE)
