"""Orders to a compute host, a configuration for one, and a compute daemon that can be killed."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from typing import Any

from novalike import conf as conf_module
from novalike.clock import Clock
from novalike.compute.manager import ComputeManager
from novalike.context import service_context
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.tasks import ActionOrder, BuildOrder, DestroyOrder, Fence
from novalike.virt.fake import FakeDriver, FakeHypervisor
from tests.factories_instances import instance
from tests.fakes.conductor import RecordingConductor

_ids = itertools.count(1)
CONTEXT = service_context("req-00000000-0000-4000-8000-00000000000c")


def config(tmp_path: Any, **overrides: Any) -> Any:
    """Answer a configuration of a compute host called `host1` with fast periods."""
    return conf_module.load(files=[], host="host1", my_ip="192.0.2.1", state_path=str(tmp_path), **overrides)


def server(**values: Any) -> Instance:
    """Answer a fresh instance which is stored and placed on host1."""
    return instance(**{"id": next(_ids), "host": "host1", "node": "host1", **values})


def vif(number: int = 1) -> Vif:
    return Vif(
        port_id=f"{number:08x}-0000-4000-8000-000000000000", network_id="n", label="net", mac=f"fa:16:3e:00:00:{number:02x}",
    )


def fence(of: Instance, *, operation: str | None = None, sequence: int = 1, epoch: int | None = None) -> Fence:
    return Fence(
        instance_uuid=of.uuid, operation_id=operation or str(uuid.uuid4()), sequence=sequence,
        epoch=of.epoch if epoch is None else epoch,
    )


def build(of: Instance, **values: Any) -> BuildOrder:
    fence_values = {name: values.pop(name) for name in ("operation", "sequence", "epoch") if name in values}
    return BuildOrder(**{"fence": fence(of, **fence_values), "instance": of, "vifs": (vif(),), **values})


def destroy(of: Instance, **values: Any) -> DestroyOrder:
    fence_values = {name: values.pop(name) for name in ("operation", "sequence", "epoch") if name in values}
    return DestroyOrder(**{"fence": fence(of, **fence_values), "instance_name": of.name, "vifs": (vif(),), **values})


def action(of: Instance, name: str, **values: Any) -> ActionOrder:
    fence_values = {name: values.pop(name) for name in ("operation", "sequence", "epoch") if name in values}
    return ActionOrder(**{
        "fence": fence(of, **{"sequence": 0, **fence_values}), "action": name, "instance": of, "vifs": (vif(),), **values,
    })


class ComputeDaemon:
    """A compute manager over a fake hypervisor and a recording conductor; `kill` and `restart` it at will."""

    def __init__(
        self, tmp_path: Any, *, clock: Clock | None = None, conductor: RecordingConductor | None = None, **overrides: Any,
    ) -> None:
        self.conf = config(tmp_path, **overrides)
        self.clock = clock or Clock()
        self.hypervisor = FakeHypervisor(clock=self.clock)
        self.conductor = conductor or RecordingConductor()
        self._tmp_path = tmp_path
        self._boot()

    def _boot(self) -> None:
        self.driver = FakeDriver(self.conf, self.clock, hypervisor=self.hypervisor)
        self.manager = ComputeManager(
            self.conf, self.clock, self.driver, self.conductor, self.conductor, str(self._tmp_path), stop_timeout=5,
        )
        self.builds, self.lifecycle, self.console, self.refresher = self.manager.endpoints[:4]
        self._periodics = {periodic.name: periodic.function for periodic in self.manager.periodics}

    def start(self) -> ComputeDaemon:
        """Start, and wait until it introduced itself."""
        self.manager.start()
        introduction = self.manager._introduction
        if not self.conductor.away:
            introduction.join(5)
            assert not introduction.is_alive(), "the daemon did not introduce itself in 5 s"
        return self

    def kill(self) -> None:
        """End it as kill -9 does: nothing more is written, sent or heard. Its hung threads live on but do not matter."""
        self.manager._ledger.close()
        self.manager._stopping.set()
        self.manager._reporter._send = lambda letters: letters
        self.manager._reporter.stop(0)
        self.driver.stop()

    def restart(self) -> ComputeDaemon:
        """Start a new daemon over the same state directory and hypervisor."""
        self._boot()
        return self.start()

    def settle(self) -> None:
        """Wait until no order runs and all is reported."""
        assert self.manager.host.orders.wait(10), "orders still run after 10 s"
        assert self.manager._reporter.idle(10), "reports still wait after 10 s"

    def tick(self, name: str) -> None:
        """Run one round of a periodic job."""
        self._periodics[name]()

    def order(self, order: BuildOrder | DestroyOrder | ActionOrder) -> None:
        """Deliver an order, without waiting."""
        if isinstance(order, BuildOrder):
            self.builds.build(CONTEXT, order=order)
        elif isinstance(order, DestroyOrder):
            self.builds.destroy(CONTEXT, order=order)
        else:
            self.lifecycle.act(CONTEXT, order=order)

    def do(self, order: BuildOrder | DestroyOrder | ActionOrder) -> Any:
        """Deliver an order, wait, and answer the last outcome reported for it."""
        self.order(order)
        self.settle()
        return self.conductor.outcomes_of(order.fence)[-1]

    def running_server(self, **values: Any) -> Instance:
        """Answer an instance that was built here and runs; the conductor knows it."""
        fresh = server(**values)
        outcome = self.do(build(fresh))
        assert outcome.error is None, outcome
        active = replace(fresh, vm_state="active", task_state=None, power_state=1)
        self.conductor.instances[active.uuid] = active
        return active
