"""What a host tells of itself."""

from __future__ import annotations

import pytest

from novalike.compute.inventory import provider_uuid
from novalike.exception import Invalid
from tests.factories_compute import CONTEXT, action, build, server


def test_registration_carries_what_nova_reserves_and_over_commits(make_daemon):
    daemon = make_daemon(
        fake__vcpus=8, fake__memory_mb=16384, fake__local_gb=100, reserved_host_cpus=1, reserved_host_disk_mb=1500,
        ram_allocation_ratio=1.5,
    )
    [inventory] = daemon.conductor.registrations
    assert (inventory.host, inventory.vcpus, inventory.memory_mb, inventory.local_gb) == ("host1", 8, 16384, 100)
    assert (inventory.reserved_vcpus, inventory.reserved_memory_mb, inventory.reserved_disk_gb) == (1, 512, 2)
    assert (inventory.cpu_allocation_ratio, inventory.ram_allocation_ratio, inventory.disk_allocation_ratio) == (4.0, 1.5, 1.0)


def test_uuid_outlives_the_daemon(daemon):
    daemon.kill()
    daemon.restart()
    first, second = daemon.conductor.registrations
    assert first.uuid == second.uuid


def test_damaged_uuid_is_named(tmp_path):
    (tmp_path / "compute_id").write_text("nonsense")
    with pytest.raises(Invalid, match="compute_id"):
        provider_uuid(str(tmp_path))


def test_host_registers_when_a_conductor_answers_at_last(make_daemon):
    daemon = make_daemon(start=False)
    daemon.conductor.away = True
    daemon.start()
    order = build(server())
    daemon.order(order)                          # orders are served meanwhile
    assert daemon.manager.host.orders.wait(5)
    daemon.conductor.away = False
    daemon.conductor.wait(lambda: daemon.conductor.registrations and daemon.conductor.outcomes_of(order.fence))


def test_only_changes_are_told(daemon):
    daemon.tick("resources")
    daemon.settle()
    assert daemon.conductor.inventories == []
    daemon.conf.set_override("vcpus", 7, group="fake")
    daemon.tick("resources")
    daemon.tick("resources")
    daemon.settle()
    assert [inventory.vcpus for inventory in daemon.conductor.inventories] == [7]


def test_usage_is_told_when_it_changed(daemon):
    daemon.settle()
    told = len(daemon.conductor.usages)
    daemon.tick("heartbeat")
    daemon.settle()
    assert len(daemon.conductor.usages) == told
    ours = daemon.running_server()
    daemon.tick("heartbeat")
    daemon.settle()
    assert daemon.conductor.usages[-1].running_vms == 1
    daemon.do(action(ours, "stop"))
    daemon.tick("heartbeat")
    daemon.tick("heartbeat")
    daemon.settle()
    assert [usage.running_vms for usage in daemon.conductor.usages[told:]] == [1, 0]


def test_refresh_registers_again(daemon):
    daemon.refresher.refresh(CONTEXT)
    daemon.settle()
    assert len(daemon.conductor.registrations) == 2


def test_intervals_are_the_configured_ones(make_daemon):
    daemon = make_daemon(report_interval=3, sync_power_state_interval=-1, update_resources_interval=0)
    intervals = {periodic.name: periodic.interval for periodic in daemon.manager.periodics}
    assert (intervals["heartbeat"], intervals["power states"], intervals["resources"], intervals["orphans"]) == (3, -1, 60, 1800)
