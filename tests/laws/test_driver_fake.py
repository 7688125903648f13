"""The driver contract over the fake hypervisor, in memory and in a file."""

from __future__ import annotations

import uuid

import pytest

from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.virt.driver import Driver, RescueRequest, SpawnRequest
from novalike.virt.fake import FakeDriver, snapshots
from tests.factories_compute import config, vif
from tests.fakes.volumes import Volumes
from tests.laws.contract_copies import CopiesContract
from tests.laws.contract_devices import DeviceContract
from tests.laws.contract_rebuild import PASSWORD, RebuildContract, with_agent
from tests.laws.driver_contract import DriverContract


class TestFakeDriver(DriverContract):
    @pytest.fixture(params=["memory", "file"])
    def driver(self, request, tmp_path):
        made = FakeDriver(config(tmp_path, fake__state_file="fake.sqlite" if request.param == "file" else None))
        yield made
        made.hypervisor.close()

    def request_for(self, server: Instance) -> SpawnRequest:
        return SpawnRequest(instance=server, vifs=(vif(1), vif(2)))

    def powers_itself_off(self, driver: Driver, server: Instance) -> None:
        driver.hypervisor.guest_powers_off(server.uuid)


class TestFakeRebuilds(RebuildContract):
    @pytest.fixture
    def driver(self, tmp_path):
        return FakeDriver(config(tmp_path))

    def request_for(self, server: Instance) -> SpawnRequest:
        return SpawnRequest(instance=server, vifs=(vif(1),))

    def rescue_request(self, request: SpawnRequest, attempt: str, **properties: str) -> RescueRequest:
        image = ImageSource(image_id="rescue", url="http://images/rescue", disk_format="raw")
        return RescueRequest(guest=request, attempt=attempt, image=image, properties=properties)

    def disks_seen(self, driver: FakeDriver, server: Instance) -> list[str]:
        return [name for name, _content in driver.hypervisor.disks_seen(server.uuid)]

    def identity(self, driver: FakeDriver, server: Instance) -> object:
        if "mine" not in driver.hypervisor.guest(server.uuid).disks["disk"]:
            driver.hypervisor.guest_writes(server.uuid, f"mine {uuid.uuid4()}\n")
        return driver.hypervisor.guest(server.uuid).disks["disk"]

    def test_an_agent_sets_passwords(self, started, request_):
        started.spawn(with_agent(request_))
        started.set_password(request_.instance.uuid, "root", PASSWORD)
        assert started.lets_in(request_.instance.uuid, "root", PASSWORD)


class TestFakeCopies(CopiesContract):
    @pytest.fixture
    def driver(self, tmp_path):
        return FakeDriver(config(tmp_path))

    def request_for(self, server: Instance) -> SpawnRequest:
        return SpawnRequest(instance=server, vifs=(vif(1),))

    def holds_what_was_copied(self, content: bytes, disk_format: str) -> bool:
        return disk_format == "raw" and (snapshots.from_bytes(content) or "").startswith("image ")


class TestFakeDevices(DeviceContract):
    @pytest.fixture
    def driver(self, tmp_path):
        return FakeDriver(config(tmp_path))

    @pytest.fixture
    def volumes(self):
        return Volumes()

    def request_for(self, server: Instance) -> SpawnRequest:
        return SpawnRequest(instance=server, vifs=(vif(1),))

    def macs(self, driver: FakeDriver, server: Instance) -> list[str]:
        return list(driver.hypervisor.guest(server.uuid).facts["macs"])

    def volumes_seen(self, driver: FakeDriver, server: Instance) -> list[str]:
        return [facts["volume_id"] for facts in driver.hypervisor.guest(server.uuid).facts["volumes"].values()]
