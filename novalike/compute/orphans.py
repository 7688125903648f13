"""Guests whose server was deleted while nobody could tell this host, or told it in vain."""

from __future__ import annotations

import logging

from novalike.compute.host import ComputeHost
from novalike.context import service_context
from novalike.exception import NovalikeError
from novalike.virt.driver import Guest

LOG = logging.getLogger(__name__)


class Orphans:
    """Searches for them and does what `running_deleted_instance_action` says.

    Only a guest which this host made (its ledger knows the epoch), of which no order runs, and which two searches in a row
    found without a server is touched.
    """

    def __init__(self, host: ComputeHost) -> None:
        self._host = host
        self._first_seen: dict[str, float] = {}  # instance uuid -> monotonic

    def search(self) -> None:
        """Look for orphans once; called now and then."""
        conf = self._host.conf
        if not self._host.registered or conf.running_deleted_instance_action == "noop":
            return
        try:
            orphans = self._find()
        except NovalikeError as error:
            LOG.warning("Orphans are not searched for now: %s", error)
            return
        now = self._host.clock.monotonic()
        self._first_seen = {uuid: self._first_seen.get(uuid, now) for uuid in orphans} if orphans else {}
        for uuid, guest in orphans.items():
            age = now - self._first_seen[uuid]
            if age <= 0 or age < conf.running_deleted_instance_timeout:
                LOG.warning("Guest %s (%s) has no server; looking again before anything is done", guest.name, uuid)
            else:
                self._deal_with(guest, conf.running_deleted_instance_action)

    def _find(self) -> dict[str, Guest]:
        """Answer guests of ours whose server does not exist."""
        guests = {guest.uuid: guest for guest in self._host.driver.guests()}
        suspects = [
            uuid for uuid in guests
            if self._host.ledger.epoch(uuid) is not None and not self._host.orders.busy(uuid)
        ]
        if not suspects:
            return {}
        known = set(self._host.reports.known(service_context(), instance_uuids=suspects))
        return {uuid: guests[uuid] for uuid in suspects if uuid not in known}

    def _deal_with(self, guest: Guest, action: str) -> None:
        LOG.warning("Guest %s (%s) has no server: %s", guest.name, guest.uuid, action)
        if action == "reap":
            self._host.orders.alone(guest.uuid, self._host.workers, lambda: self._reap(guest))
        elif action == "shutdown":
            self._host.orders.alone(guest.uuid, self._host.workers, lambda: self._shut_down(guest))

    def _reap(self, guest: Guest) -> None:
        self._host.ledger.bury(guest.uuid)
        self._host.driver.destroy(guest.uuid, guest.name, ())
        self._host.forget(guest.uuid)

    def _shut_down(self, guest: Guest) -> None:
        self._host.driver.power_off(guest.uuid, timeout=0)
