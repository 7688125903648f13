"""A compute daemon as the conductor sees it: orders over a transport, reports back over it."""

from __future__ import annotations

import threading

import pytest

from novalike.clock import Clock
from novalike.compute.manager import ComputeManager
from novalike.exception import NotFound
from novalike.objects.states import PowerState
from novalike.rpc import compute as compute_rpc
from novalike.rpc import conductor as conductor_rpc
from novalike.rpc import engine, transport
from novalike.virt.fake import FakeDriver
from tests.factories_compute import CONTEXT, action, build, config, destroy, server
from tests.fakes.conductor import RecordingConductor


class TasksEndpoint(conductor_rpc.Tasks):
    def __init__(self, recording: RecordingConductor) -> None:
        self._recording = recording

    def report(self, ctxt, *, outcome):
        self._recording.report(ctxt, outcome=outcome)


class ReportsEndpoint(conductor_rpc.HostReports):
    def __init__(self, recording: RecordingConductor) -> None:
        for name in engine.methods(conductor_rpc.HostReports):
            setattr(self, name, getattr(recording, name))


class Cloud:
    """One conductor which records and one compute host, joined by a transport."""

    def __init__(self, tmp_path) -> None:
        self.conf = config(tmp_path, fake__state_file="fake.sqlite")
        self.transport = transport.build(self.conf, f"inproc://{tmp_path.name}")
        self.recording = RecordingConductor()
        self._servers = [engine.server(
            self.transport, conductor_rpc.TOPIC, "conductor1", [TasksEndpoint(self.recording), ReportsEndpoint(self.recording)],
        )]
        self.driver = FakeDriver(self.conf)
        self.manager = ComputeManager(
            self.conf, Clock(), self.driver, engine.client(conductor_rpc.Tasks, self.transport),
            engine.client(conductor_rpc.HostReports, self.transport), str(tmp_path),
        )
        self.builds = engine.client(compute_rpc.Build, self.transport, server="host1")
        self.lifecycle = engine.client(compute_rpc.Lifecycle, self.transport, server="host1")
        self.consoles = engine.client(compute_rpc.Console, self.transport, server="host1")
        self.hosts = engine.client(compute_rpc.Host, self.transport, server="host1")

    def start_conductor(self) -> None:
        self._servers[0].start()

    def start_compute(self) -> None:
        self.manager.start()
        listener = engine.server(self.transport, compute_rpc.TOPIC, "host1", self.manager.endpoints)
        listener.start()
        self._servers.append(listener)

    def outcome(self, order):
        """Wait for the report of an order and answer it."""
        self.recording.wait(lambda: self.recording.outcomes_of(order.fence))
        return self.recording.outcomes_of(order.fence)[-1]

    def stop(self) -> None:
        for one in self._servers[1:]:
            one.stop()
            one.wait()
        self.manager.stop()
        self._servers[0].stop()
        self._servers[0].wait()
        self.driver.hypervisor.close()
        self.transport.cleanup()


@pytest.fixture
def cloud(tmp_path):
    made = Cloud(tmp_path)
    yield made
    made.stop()


def test_life_of_a_server(cloud):
    cloud.start_conductor()
    cloud.start_compute()
    cloud.recording.wait(lambda: cloud.recording.registrations)
    ours = server(display_name="web", metadata={"role": "front"})

    order = build(ours)
    cloud.builds.build(CONTEXT, order=order)
    built = cloud.outcome(order)
    assert (built.error, built.power_state, built.root_device_name) == (None, PowerState.RUNNING, "/dev/vda")
    assert ours.uuid in cloud.consoles.console_output(CONTEXT, instance=ours)
    assert len(cloud.consoles.console_output(CONTEXT, instance=ours, tail=2).split("\n")) == 2

    for kind, state in (("stop", 4), ("start", 1), ("reboot_soft", 1), ("reboot_hard", 1)):
        order = action(ours, kind)
        cloud.lifecycle.act(CONTEXT, order=order)
        assert (cloud.outcome(order).error, cloud.outcome(order).power_state) == (None, state)

    order = destroy(ours, epoch=2)
    cloud.builds.destroy(CONTEXT, order=order)
    assert cloud.outcome(order).error is None
    assert cloud.driver.leftovers(ours.uuid) == ()
    with pytest.raises(NotFound, match="could not be found"):
        cloud.consoles.console_output(CONTEXT, instance=ours)


def test_daemons_may_start_in_any_order(cloud):
    cloud.start_compute()
    order = build(server())
    cloud.builds.build(CONTEXT, order=order)
    cloud.start_conductor()
    cloud.recording.wait(lambda: cloud.recording.registrations)
    assert cloud.outcome(order).error is None


def test_conductor_which_knows_nothing_of_a_host_asks_it(cloud):
    cloud.start_conductor()
    cloud.start_compute()
    cloud.recording.wait(lambda: len(cloud.recording.registrations) == 1)
    cloud.hosts.refresh(CONTEXT)
    cloud.recording.wait(lambda: len(cloud.recording.registrations) == 2)


def test_many_builds_at_once_each_end_once(cloud):
    cloud.start_conductor()
    cloud.start_compute()
    orders = [build(server()) for _ in range(60)]

    def send(some):
        for order in some:
            cloud.builds.build(CONTEXT, order=order)
            cloud.builds.build(CONTEXT, order=order)     # the broker doubles every message
    threads = [threading.Thread(target=send, args=(orders[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cloud.recording.wait(lambda: all(cloud.recording.outcomes_of(order.fence) for order in orders))
    assert {outcome.error for outcome in cloud.recording.outcomes} == {None}
    assert len(cloud.driver.guests()) == 60
