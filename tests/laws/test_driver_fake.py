"""The driver contract over the fake hypervisor, in memory and in a file."""

from __future__ import annotations

import pytest

from novalike.objects.instance import Instance
from novalike.virt.driver import Driver, SpawnRequest
from novalike.virt.fake import FakeDriver
from tests.factories_compute import config, vif
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
