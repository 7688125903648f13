"""Guests which change their power state by themselves: heard of as events, and found by comparing now and then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Set

from novalike.compute.host import ComputeHost
from novalike.context import service_context
from novalike.exception import NovalikeError
from novalike.objects.instance import Instance
from novalike.objects.states import PowerState, VmState
from novalike.objects.tasks import PowerChange

LOG = logging.getLogger(__name__)

#: Seconds until a hypervisor which did not answer is asked again, and until a busy instance is looked at again.
AGAIN = 5.0
AFTER_ORDER = 1.0

#: Power states which contradict what the server's user asked for: reported at each comparison even when the database has
#: them already, since whoever was to correct them has not.
CONTRADICTIONS: Mapping[str, frozenset[int]] = {
    VmState.ACTIVE: frozenset({PowerState.SHUTDOWN, PowerState.CRASHED, PowerState.SUSPENDED}),
    VmState.STOPPED: frozenset({PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED}),
    VmState.PAUSED: frozenset({PowerState.SHUTDOWN, PowerState.CRASHED}),
    VmState.SOFT_DELETED: frozenset({PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED}),
}


class PowerWatch:
    """Reports power changes which nobody ordered. While an order of an instance runs or waits, nothing is reported of it."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}         # instance uuid -> when (monotonic) to look at it
        self._reports = 0

    def hear(self, instance_uuid: str, state: PowerState) -> None:
        """The driver's listener: note what happened and look at it in a moment. A guest which is off may be restarting."""
        delay = self._host.conf.compute.lifecycle_event_delay if state == PowerState.SHUTDOWN else 0.0
        with self._lock:
            self._due[instance_uuid] = self._host.clock.monotonic() + delay

    def look(self) -> None:
        """Report what events announced and is still so; called every second."""
        if not self._due:
            return
        now = self._host.clock.monotonic()
        with self._lock:
            due = [uuid for uuid, when in self._due.items() if when <= now]
            for uuid in due:
                del self._due[uuid]
        changes = []
        for uuid in due:
            if self._host.orders.busy(uuid):
                self._again(uuid, now + AFTER_ORDER)
                continue
            told = self._host.told.get(uuid)
            if told is None:                     # not ours, or not here any more
                continue
            state = self._host.power_state(uuid)
            if state is None:
                self._again(uuid, now + AGAIN)
            elif state != told:
                changes.append(self._change(uuid, state))
        self._report(changes)

    def compare(self, instances: list[Instance] | None = None) -> None:
        """Compare all guests with what the conductor knows of them (asked for, unless given) and report what differs."""
        if not self._host.registered:
            return
        before = dict(self._host.told)
        asked = instances is None
        if instances is None:
            try:
                instances = self._host.reports.instances_on(service_context(), host=self._host.name)
            except NovalikeError as error:
                LOG.warning("Power states are not compared now: %s", error)
                return
        states = {guest.uuid: int(guest.power_state) for guest in self._host.driver.guests()}
        self._host.ledger.learn({instance.uuid: instance.epoch for instance in instances})
        changes = []
        for instance in instances:
            uuid = instance.uuid
            moved = self._host.told.get(uuid) != before.get(uuid)   # an order ended since the conductor was asked
            if moved or self._host.orders.busy(uuid) or instance.task_state or instance.vm_state == VmState.BUILDING:
                continue
            state = states.get(uuid, int(PowerState.NOSTATE))
            self._host.told[uuid] = instance.power_state
            if state != instance.power_state or state in CONTRADICTIONS.get(instance.vm_state, ()):
                changes.append(self._change(uuid, state))
        if asked:                                # else `before` may know of builds which ended after the list was made
            self._forget_all(before.keys() - {instance.uuid for instance in instances})
        self._report(changes)

    def _forget_all(self, gone: Set[str]) -> None:
        for uuid in gone:
            if not self._host.orders.busy(uuid):
                self._host.forget(uuid)

    def _change(self, uuid: str, state: int) -> PowerChange:
        LOG.info("Instance %s changed its power state by itself to %d", uuid, state)
        self._host.told[uuid] = state
        return PowerChange(
            instance_uuid=uuid, host=self._host.name, epoch=self._host.ledger.epoch(uuid) or 0, power_state=state,
        )

    def _again(self, uuid: str, when: float) -> None:
        with self._lock:
            self._due.setdefault(uuid, when)

    def _report(self, changes: list[PowerChange]) -> None:
        if changes:
            self._reports += 1
            self._host.reporter.state(
                f"power {self._reports}", lambda ctxt: self._host.reports.power_changed(ctxt, changes=changes),
            )
