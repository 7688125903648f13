"""Routers leave hosts whose agents are dead, or switched off."""

from __future__ import annotations

import logging
from collections import Counter

from novalike.db import routers
from novalike.network.local.routers import settle
from novalike.network.local.store import Change, Store

LOG = logging.getLogger(__name__)
#: Seconds between two looks.
INTERVAL = 5.0
#: How many routers move in one transaction.
BATCH = 20


class Failover:
    """Looks which hosts of routers have no agent that works, and spreads their routers over those which have one.

    Several conductors may do it at once: who comes second finds nothing left to move.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._silent: dict[str, float] = {}          # hosts without a heartbeat, and since when we know

    def run(self) -> None:
        """Look once. Costs one small query where there are no routers, and two where all is well."""
        homes = self._store.database.fetch(routers.homes)
        if not homes:
            return
        services = self._store.agent_services()
        live = sorted({service.host for service in services if service.up and not service.disabled})
        silent = {service.host for service in services if not service.up and not service.forced_down and not service.disabled}
        for host in sorted(homes - set(live)):
            if live and self._given_up(host, silent):
                self._leave(host, live)
        self._silent = {host: since for host, since in self._silent.items() if host in silent}

    def _given_up(self, host: str, silent: set[str]) -> bool:
        """Tell whether nothing is to be expected of a host without a working agent. Who is merely silent gets the time of one more
        heartbeat: after the database, or all messages, were away, everybody is silent for a moment."""
        if host not in silent:
            return True                              # switched off, forced down, or nowhere
        now = self._store.clock.monotonic()
        return bool(now - self._silent.setdefault(host, now) >= self._store.conf.report_interval)

    def _leave(self, host: str, live: list[str]) -> None:
        while moved := self._store.change(_move, host, live):
            for router_id, home in moved.items():
                LOG.warning("router %s moved from %s to host %s", router_id, f"host {host}" if host else "nowhere", home)


def _move(change: Change, host: str, live: list[str]) -> dict[str, str]:
    """Move some routers of a host to those with the fewest; answer where each went."""
    session = change.session
    found = routers.lock_on_host(session, host, BATCH)
    loads = Counter(routers.loads(session, live) if found else {})
    homes = {}
    for router in found:
        home = min(live, key=lambda candidate: (loads[candidate], candidate))
        settle(change, router, home)
        loads[home] += 1
        homes[router.id] = home
    return homes
