"""The contract of moves over the fake hypervisor."""

from __future__ import annotations

import pytest

from novalike.objects.instance import Instance
from novalike.virt.driver import SpawnRequest
from novalike.virt.fake import FakeDriver
from tests.factories_compute import config, vif
from tests.laws.contract_moves import MovesContract

MARK = "a mark\n"


class TestFakeMoves(MovesContract):
    @pytest.fixture
    def driver(self, tmp_path):
        return FakeDriver(config(tmp_path))

    @pytest.fixture
    def other(self, tmp_path):
        return FakeDriver(config(tmp_path / "other"))

    def request_for(self, server: Instance) -> SpawnRequest:
        return SpawnRequest(instance=server, vifs=(vif(1),))

    def mark(self, driver: FakeDriver, server: Instance) -> None:
        driver.hypervisor.guest_writes(server.uuid, MARK)

    def is_marked(self, driver: FakeDriver, server: Instance) -> bool:
        return MARK in driver.hypervisor.guest(server.uuid).disks["disk"]

    def size_of(self, driver: FakeDriver, server: Instance) -> tuple[int, int]:
        facts = driver.hypervisor.guest(server.uuid).facts
        return facts["memory_mb"], facts["disk_gb"]
