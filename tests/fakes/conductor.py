"""A conductor which only listens: it records what a compute host reports, and answers from what a test put in."""

from __future__ import annotations

import threading
import time
from typing import Any

from novalike.context import RequestContext
from novalike.exception import Unavailable
from novalike.objects.block_device import BlockDevice
from novalike.objects.host import HostUsage, Inventory
from novalike.objects.instance import Instance
from novalike.objects.tasks import Fence, Heartbeat, Outcome, PowerChange


class RecordingConductor:
    """Both of the conductor's interfaces that a host uses, as a client. While `away`, every message fails."""

    def __init__(self) -> None:
        self.away = False
        self.outcomes: list[Outcome] = []
        self.actions: list[Outcome] = []
        self.heartbeats: list[Heartbeat] = []
        self.registrations: list[Inventory] = []
        self.inventories: list[Inventory] = []
        self.usages: list[HostUsage] = []
        self.changes: list[PowerChange] = []
        self.instances: dict[str, Instance] = {}
        self.disks: dict[str, list[BlockDevice]] = {}
        self._heard = threading.Condition()

    def _hear(self, into: list[Any], what: Any) -> None:
        if self.away:
            raise Unavailable("The conductor is away.")
        with self._heard:
            into.append(what)
            self._heard.notify_all()

    def wait(self, condition: Any, seconds: float = 10) -> None:
        """Wait until `condition()` holds; it is looked at after every message."""
        until = time.monotonic() + seconds
        with self._heard:
            while not condition():
                left = until - time.monotonic()
                assert left > 0, f"the conductor did not hear in {seconds:g} s what the test waits for"
                self._heard.wait(min(left, 0.05))

    def outcomes_of(self, fence: Fence) -> list[Outcome]:
        """Answer all outcomes reported for an order, of either interface."""
        return [outcome for outcome in (*self.outcomes, *self.actions) if outcome.fence == fence]

    def wake(self, ctxt: RequestContext, *, task_ids: list[str]) -> None:
        raise AssertionError("a compute host never wakes tasks")

    def report(self, ctxt: RequestContext, *, outcome: Outcome) -> None:
        self._hear(self.outcomes, outcome)

    def register(self, ctxt: RequestContext, *, inventory: Inventory, binary: str) -> str:
        assert binary == "novalike-compute"
        self._hear(self.registrations, inventory)
        return "11111111-1111-4111-8111-111111111111"

    def inventory(self, ctxt: RequestContext, *, inventory: Inventory) -> None:
        self._hear(self.inventories, inventory)

    def heartbeat(self, ctxt: RequestContext, *, heartbeat: Heartbeat) -> None:
        self._hear(self.heartbeats, heartbeat)

    def usage(self, ctxt: RequestContext, *, host: str, node: str, usage: HostUsage) -> None:
        self._hear(self.usages, usage)

    def action_done(self, ctxt: RequestContext, *, outcome: Outcome) -> None:
        self._hear(self.actions, outcome)

    def power_changed(self, ctxt: RequestContext, *, changes: list[PowerChange]) -> None:
        for change in changes:
            self._hear(self.changes, change)

    def instances_on(self, ctxt: RequestContext, *, host: str) -> list[Instance]:
        if self.away:
            raise Unavailable("The conductor is away.")
        return [instance for instance in self.instances.values() if instance.host == host]

    def block_devices(self, ctxt: RequestContext, *, host: str, instance_uuid: str) -> list[BlockDevice]:
        return list(self.disks.get(instance_uuid, ()))

    def known(self, ctxt: RequestContext, *, instance_uuids: list[str]) -> list[str]:
        if self.away:
            raise Unavailable("The conductor is away.")
        return [uuid for uuid in instance_uuids if uuid in self.instances]
