"""What every hypervisor driver must do. A test module makes a subclass named Test...: see test_driver_fake.py.

The subclass gives fixture `driver` (constructed, not started), `request_for(name)` and, for the hypervisor's own side,
`powers_itself_off(driver, uuid)`. `patience` is for how many seconds events, boots and shutdowns may take there.
"""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from novalike.exception import NotFound
from novalike.objects.console import NO_PORT, Protocol
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.states import PowerState
from novalike.virt.driver import Consoles, Driver, Leftovers, SpawnRequest
from tests.factories_instances import instance

Event = tuple[str, PowerState]


def eventually(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until the condition holds; fail with `what` when it does not in so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"after {seconds:g} s: {what}"
        time.sleep(0.01)


class DriverFixtures:
    """A started driver and a server for it; the contracts of single capabilities stand on this as well."""

    patience: float = 2.0

    def request_for(self, server: Instance) -> SpawnRequest:
        """Answer what the driver makes this server from; override to add an image and real ports."""
        return SpawnRequest(instance=server, vifs=())

    def powers_itself_off(self, driver: Driver, server: Instance) -> None:
        """Let the guest shut itself down, without the driver's doing."""
        raise NotImplementedError

    @pytest.fixture
    def heard(self) -> list[Event]:
        """What the listener heard."""
        return []

    @pytest.fixture
    def started(self, driver, heard) -> Iterator[Driver]:
        driver.start(lambda guest_uuid, state: heard.append((guest_uuid, PowerState(state))))
        yield driver
        driver.stop()

    @pytest.fixture
    def server(self, started) -> Iterator[Instance]:
        """A server of ours, removed at the end whatever became of it."""
        ours = instance(id=uuid.uuid4().int % 0x7FFFFFFF, display_name="contract", hostname="contract", metadata={"role": "judge"})
        yield ours
        started.destroy(ours.uuid, ours.name, self.request_for(ours).vifs)

    @pytest.fixture
    def request_(self, server) -> SpawnRequest:
        return self.request_for(server)

    def vifs(self, server: Instance) -> tuple[Vif, ...]:
        return self.request_for(server).vifs


class DriverContract(DriverFixtures):
    """What every driver must do."""

    def test_inventory_is_of_a_usable_host(self, started):
        inventory = started.inventory()
        assert inventory.vcpus > 0 and inventory.memory_mb > 0 and inventory.local_gb >= 0
        assert inventory.host and inventory.node and inventory.hypervisor_type and inventory.supported

    def test_spawned_guest_runs_and_is_listed(self, started, server, request_):
        root_device = started.spawn(request_)
        assert root_device is None or root_device.startswith("/dev/")
        assert started.power_state(server.uuid) is PowerState.RUNNING
        assert [(guest.name, guest.power_state) for guest in started.guests() if guest.uuid == server.uuid] == [
            (server.name, PowerState.RUNNING),
        ]

    def test_guest_spawned_paused_runs_when_it_is_unpaused(self, started, server, request_):
        started.spawn(replace(request_, paused=True))
        assert started.power_state(server.uuid) is PowerState.PAUSED
        started.unpause(server.uuid)
        assert started.power_state(server.uuid) is PowerState.RUNNING

    def test_spawning_again_leaves_one_running_guest(self, started, server, request_):
        started.spawn(request_)
        pieces = sorted(started.leftovers(server.uuid)) if isinstance(started, Leftovers) else None
        started.spawn(request_)
        assert started.power_state(server.uuid) is PowerState.RUNNING
        assert len([guest for guest in started.guests() if guest.uuid == server.uuid]) == 1
        if pieces is not None:
            assert sorted(started.leftovers(server.uuid)) == pieces

    def test_destroy_leaves_nothing(self, started, server, request_):
        started.spawn(request_)
        if isinstance(started, Leftovers):
            assert started.leftovers(server.uuid), "a running guest has pieces"
        started.destroy(server.uuid, server.name, self.vifs(server))
        assert started.power_state(server.uuid) is PowerState.NOSTATE
        assert server.uuid not in {guest.uuid for guest in started.guests()}
        if isinstance(started, Leftovers):
            assert started.leftovers(server.uuid) == ()

    def test_destroying_twice_and_destroying_nothing_is_fine(self, started, server, request_):
        started.destroy(server.uuid, server.name, self.vifs(server))
        started.spawn(request_)
        started.destroy(server.uuid, server.name, self.vifs(server))
        started.destroy(server.uuid, server.name, self.vifs(server))

    def test_stopped_guest_can_be_destroyed(self, started, server, request_):
        started.spawn(request_)
        started.power_off(server.uuid, timeout=0)
        started.destroy(server.uuid, server.name, self.vifs(server))
        assert server.uuid not in {guest.uuid for guest in started.guests()}

    def test_power_cycle(self, started, server, request_):
        started.spawn(request_)
        started.power_off(server.uuid, timeout=0)
        assert started.power_state(server.uuid) is PowerState.SHUTDOWN
        started.power_off(server.uuid, timeout=0)   # fine when it is off
        started.power_on(request_)
        assert started.power_state(server.uuid) is PowerState.RUNNING
        started.power_on(request_)                  # fine when it runs
        assert started.power_state(server.uuid) is PowerState.RUNNING

    def test_graceful_power_off_ends_within_its_timeout(self, started, server, request_):
        started.spawn(request_)
        began = time.monotonic()
        started.power_off(server.uuid, timeout=1)
        assert started.power_state(server.uuid) is PowerState.SHUTDOWN
        assert time.monotonic() - began < 1 + self.patience

    @pytest.mark.parametrize("hard", [True, False])
    def test_rebooted_guest_runs(self, started, server, request_, hard):
        started.spawn(request_)
        started.reboot(request_, hard=hard, timeout=1)
        eventually(lambda: started.power_state(server.uuid) is PowerState.RUNNING, self.patience, "the guest does not run")

    def test_hard_reboot_starts_a_stopped_guest(self, started, server, request_):
        started.spawn(request_)
        started.power_off(server.uuid, timeout=0)
        started.reboot(request_, hard=True, timeout=1)
        assert started.power_state(server.uuid) is PowerState.RUNNING

    def test_unknown_guest_is_not_found(self, started, server):
        assert started.power_state(server.uuid) is PowerState.NOSTATE
        with pytest.raises(NotFound):
            started.console_output(server.uuid, None, 1000)
        with pytest.raises(NotFound):
            started.power_off(server.uuid, timeout=0)

    def test_console_output_is_bounded_and_its_tail_is_the_end(self, started, server, request_):
        started.spawn(request_)
        eventually(
            lambda: started.console_output(server.uuid, None, 102400).count(b"\n") > 3, max(self.patience, 30.0),
            "the console stays silent",
        )
        last = started.console_output(server.uuid, 2, 102400)
        assert len(last.splitlines()) <= 2
        assert len(started.console_output(server.uuid, None, 20)) <= 20
        assert started.console_output(server.uuid, 0, 102400) == b""

    def test_a_screen_is_where_the_driver_says_while_the_guest_runs(self, started, server, request_):
        if not isinstance(started, Consoles):
            pytest.skip("this driver's guests have no consoles")
        with pytest.raises(NotFound):
            started.console_ports(server.uuid, Protocol.VNC)
        started.spawn(request_)
        port = started.console_ports(server.uuid, Protocol.VNC).plain
        with socket.create_connection(("127.0.0.1", port), timeout=10) as viewer:
            assert viewer.recv(12) == b"RFB 003.008\n"
        started.power_off(server.uuid, timeout=0)
        assert started.console_ports(server.uuid, Protocol.VNC).plain == NO_PORT
        started.power_on(request_)
        assert started.console_ports(server.uuid, Protocol.VNC).plain != NO_PORT

    def test_listener_hears_a_guest_which_powers_itself_off(self, started, server, request_, heard):
        started.spawn(request_)
        heard.clear()
        self.powers_itself_off(started, server)
        eventually(lambda: (server.uuid, PowerState.SHUTDOWN) in heard, self.patience, f"heard only {heard}")
        assert started.power_state(server.uuid) is PowerState.SHUTDOWN

    def test_guests_survive_a_restart_of_the_daemon(self, started, server, request_, heard):
        started.spawn(request_)
        started.stop()
        started.start(lambda guest_uuid, state: heard.append((guest_uuid, PowerState(state))))
        assert started.power_state(server.uuid) is PowerState.RUNNING
        started.power_off(server.uuid, timeout=0)
        assert started.power_state(server.uuid) is PowerState.SHUTDOWN

    def test_usage_counts_running_guests(self, started, server, request_):
        before = started.usage()
        started.spawn(request_)
        during = started.usage()
        assert during.running_vms == before.running_vms + 1
        assert during.memory_mb_used >= before.memory_mb_used

    def test_changed_ports_are_taken_over_at_the_next_start(self, started, server, request_):
        started.spawn(request_)
        started.power_off(server.uuid, timeout=0)
        started.power_on(replace(request_, vifs=()))
        assert started.power_state(server.uuid) is PowerState.RUNNING
