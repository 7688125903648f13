"""What a driver must do which changes the devices of guests that run, and counts what they do.

Beside what DriverFixtures wants, the subclass gives fixture `volumes` (a volume service whose connections work there), and for
the hypervisor's own side `macs(driver, server)` and `volumes_seen(driver, server)`: what the guest has now.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from novalike.exception import Conflict, NovalikeError
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.states import PowerState
from novalike.virt.driver import Diagnosing, PluggableInterfaces, PluggableVolumes, SpawnRequest, Suspending
from tests.factories_instances import CALLER
from tests.fakes.volumes import Volumes
from tests.laws.driver_contract import DriverFixtures


class DeviceContract(DriverFixtures):
    def macs(self, driver: Any, server: Instance) -> list[str]:
        raise NotImplementedError

    def volumes_seen(self, driver: Any, server: Instance) -> list[str]:
        raise NotImplementedError

    def another_port(self, request: SpawnRequest) -> Vif:
        """Answer one more port on the same network."""
        first, number = request.vifs[0], uuid.uuid4().hex
        mac = ":".join([*first.mac.split(":")[:3], number[:2], number[2:4], number[4:6]])
        return replace(first, port_id=str(uuid.UUID(number)), mac=mac, tap=f"tap{number[:8]}-00", nic=1)

    def device(self, volumes: Volumes, server: Instance, name: str = "/dev/vdb") -> BlockDevice:
        """Answer a new volume, connected."""
        volume_id = volumes.make()
        attachment = volumes.reserve(CALLER, volume_id, server.uuid)
        return BlockDevice(
            uuid=str(uuid.uuid4()), source_type="volume", destination_type="volume", volume_id=volume_id, device_name=name,
            attachment_id=attachment, plugged=True, connection=volumes.connect(CALLER, attachment, {"host": "here"}),
        )

    @pytest.fixture
    def running(self, started, request_) -> Any:
        """The driver, with the guest running."""
        started.spawn(request_)
        return started

    def test_it_says_that_it_can(self, driver):
        for capability in (PluggableInterfaces, PluggableVolumes, Diagnosing):
            assert isinstance(driver, capability)

    def test_devices_come_and_go(self, running, server, request_, volumes):
        before, vif, device = self.macs(running, server), self.another_port(request_), self.device(volumes, server)
        second = self.device(volumes, server, "/dev/vdc")
        ours = request_.instance
        for _ in range(2):                               # every order may come twice
            running.attach_interface(ours, vif)
            running.attach_volume(ours, device)
            running.attach_volume(ours, second)
        assert self.macs(running, server) == [*before, vif.mac]
        assert self.volumes_seen(running, server) == [device.volume_id, second.volume_id]
        for _ in range(2):
            running.detach_volume(ours, device)
            running.detach_interface(ours, vif)
        assert self.macs(running, server) == before
        assert self.volumes_seen(running, server) == [second.volume_id]
        assert running.power_state(server.uuid) is PowerState.RUNNING

    def test_what_was_plugged_is_there_after_a_restart(self, running, server, request_, volumes):
        vif, device = self.another_port(request_), self.device(volumes, server)
        running.attach_interface(request_.instance, vif)
        running.attach_volume(request_.instance, device)
        more = replace(request_, vifs=(*request_.vifs, vif), block_devices=(device,))
        running.power_off(server.uuid, timeout=0)
        running.power_on(more)
        assert self.macs(running, server) == [one.mac for one in more.vifs]
        assert self.volumes_seen(running, server) == [device.volume_id]
        running.reboot(request_, hard=True, timeout=1)
        assert (self.macs(running, server), self.volumes_seen(running, server)) == ([request_.vifs[0].mac], [])

    def test_a_guest_which_is_off_is_left_alone(self, running, server, request_, volumes):
        running.power_off(server.uuid, timeout=0)
        vif, device = self.another_port(request_), self.device(volumes, server)
        for change, what in (
            (running.attach_interface, vif), (running.detach_interface, vif), (running.attach_volume, device), (running.detach_volume, device),
        ):
            change(request_.instance, what)
        with pytest.raises(Conflict):
            running.swap_volume(request_.instance, device, device)
        running.power_on(request_)
        assert (self.macs(running, server), self.volumes_seen(running, server)) == ([request_.vifs[0].mac], [])

    def test_a_paused_guest_gets_devices_and_keeps_them(self, running, server, request_, volumes):
        if not isinstance(running, Suspending):
            pytest.skip("it cannot pause guests")
        vif, device = self.another_port(request_), self.device(volumes, server)
        running.pause(server.uuid)
        running.attach_interface(request_.instance, vif)
        running.attach_volume(request_.instance, device)
        for change, what in ((running.detach_interface, vif), (running.detach_volume, device)):
            with pytest.raises(NovalikeError, match="paused"):
                change(request_.instance, what)
        assert vif.mac in self.macs(running, server)
        assert self.volumes_seen(running, server) == [device.volume_id]

    def test_another_volume_takes_the_place_of_one(self, running, server, request_, volumes):
        old, new = self.device(volumes, server), self.device(volumes, server)
        running.attach_volume(request_.instance, old)
        new = replace(new, uuid=old.uuid)
        for _ in range(2):
            running.swap_volume(request_.instance, replace(old, connection=None), new)
        running.swap_volume(request_.instance, replace(new, connection=None), old)     # and back
        running.swap_volume(request_.instance, replace(old, connection=None), new)
        assert len(self.volumes_seen(running, server)) == 1
        assert running.power_state(server.uuid) is PowerState.RUNNING

    def test_a_volume_whose_connection_is_not_known_is_refused(self, running, server, request_, volumes):
        with pytest.raises(NovalikeError):
            running.attach_volume(request_.instance, replace(self.device(volumes, server), connection=None))
        assert self.volumes_seen(running, server) == []

    def test_diagnostics(self, running, server, request_, volumes):
        running.attach_volume(request_.instance, self.device(volumes, server))
        ours = replace(request_.instance, network_info=request_.vifs)
        found = running.diagnostics(ours)
        assert (found.state, len(found.cpus), len(found.nics)) == ("running", ours.flavor.vcpus, len(request_.vifs))
        assert [nic.mac_address for nic in found.nics] == [vif.mac for vif in request_.vifs]
        assert len(found.disks) >= 2
        assert found.memory_maximum == ours.flavor.memory_mb
        assert {"cpu0_time", "vdb_read", "memory"} <= set(found.free_form)
        running.power_off(server.uuid, timeout=0)
        with pytest.raises(Conflict):
            running.diagnostics(ours)
