"""The fake hypervisor: what the driver contract does not say."""

from __future__ import annotations

import threading
import time

import pytest

from novalike.clock import ManualClock
from novalike.exception import BuildFailed, Invalid, NovalikeError
from novalike.objects.flavor import Flavor
from novalike.objects.states import PowerState
from novalike.virt.driver import Driver, Leftovers, SpawnRequest
from novalike.virt.fake import FakeDriver, FakeHypervisor, Fault
from novalike.virt.fake.faults import parse
from tests.factories_compute import config, server, vif


def make(tmp_path, clock=None, hypervisor=None, **options) -> FakeDriver:
    return FakeDriver(config(tmp_path, **{f"fake__{name}": value for name, value in options.items()}), clock, hypervisor=hypervisor)


def request(of) -> SpawnRequest:
    return SpawnRequest(instance=of, vifs=(vif(),))


def test_it_is_a_driver_which_tells_leftovers(tmp_path):
    driver: Driver = make(tmp_path)
    assert isinstance(driver, Leftovers)


def test_inventory_is_what_the_options_say(tmp_path):
    inventory = make(tmp_path, vcpus=8, memory_mb=4096, local_gb=50, traits=["CUSTOM_GOLD"]).inventory()
    assert (inventory.vcpus, inventory.memory_mb, inventory.local_gb) == (8, 4096, 50)
    assert inventory.host == "host1" and "CUSTOM_GOLD" in inventory.traits


def test_pieces_are_named(tmp_path):
    driver = make(tmp_path)
    ours = server(config_drive=True)
    driver.spawn(request(ours))
    assert driver.leftovers(ours.uuid) == (
        f"disk:{ours.uuid}/disk", f"disk:{ours.uuid}/disk.config", "tap:tap00000001-00", f"domain:{ours.name}",
        f"log:{ours.uuid}/console.log",
    )


def test_console_looks_like_a_boot_and_names_the_server(tmp_path):
    driver = make(tmp_path)
    ours = server(display_name="web-1", hostname="web-1", metadata={"role": "front"})
    driver.spawn(request(ours))
    text = driver.console_output(ours.uuid, None, 102400).decode()
    assert "Linux version" in text and "web-1 login:" in text
    assert ours.uuid in text and '"role": "front"' in text and vif().mac in text
    driver.reboot(request(ours), hard=True, timeout=0)
    assert driver.console_output(ours.uuid, None, 102400).decode().count("Linux version") == 2


@pytest.mark.parametrize("at, pieces", [("start", 0), ("disks", 1), ("taps", 2), ("domain", 4)])
def test_fault_strikes_after_the_stage_and_leaves_what_was_made(tmp_path, at, pieces):
    driver = make(tmp_path, fault=[f"spawn match=bad-* at={at} error=no space left on device"])
    bad = server(display_name="bad-1")
    with pytest.raises(BuildFailed, match="no space left on device"):
        driver.spawn(request(bad))
    assert len(driver.leftovers(bad.uuid)) == pieces
    driver.spawn(request(server(display_name="good-1")))


def test_fault_strikes_as_often_as_it_says(tmp_path):
    driver = make(tmp_path, fault=["destroy times=2"])
    for _ in range(2):
        with pytest.raises(NovalikeError):
            driver.destroy("u", "n", ())
    driver.destroy("u", "n", ())


def test_fault_says_whether_another_host_may_fare_better(tmp_path):
    driver = make(tmp_path)
    driver.order_fault(Fault(operation="spawn", error="bad image", retry=False))
    with pytest.raises(BuildFailed) as caught:
        driver.spawn(request(server()))
    assert caught.value.retry is False
    driver.clear_faults()
    driver.spawn(request(server()))


def test_hang_passes_and_the_operation_goes_on(tmp_path):
    clock = ManualClock()
    driver = make(tmp_path, clock, fault=["spawn hang=30"])
    ours, began = server(), clock.time()
    driver.spawn(request(ours))
    assert clock.time() - began == 30
    assert driver.power_state(ours.uuid) is PowerState.RUNNING


@pytest.mark.parametrize("text", ["explode", "spawn often", "spawn times=x", "spawn at=moon", "spawn probability=often"])
def test_unreadable_fault_is_refused_by_name(text):
    with pytest.raises(Invalid, match="fault"):
        parse(text)


def test_probability_is_kept(tmp_path):
    driver = make(tmp_path, fault=["spawn probability=0.5"])
    failed = 0
    for _ in range(200):
        try:
            driver.spawn(request(server()))
        except BuildFailed:
            failed += 1
    assert 50 < failed < 150


def test_strict_host_takes_no_more_than_it_has_at_any_concurrency(tmp_path):
    driver = make(tmp_path, vcpus=2, memory_mb=10 * 512, strict=True)   # 8 VCPU at 4.0; memory for 10
    results: list[bool] = []

    def spawn() -> None:
        try:
            driver.spawn(request(server()))
            results.append(True)
        except BuildFailed:
            results.append(False)
    threads = [threading.Thread(target=spawn) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(True) == 8
    assert driver.usage().running_vms == 8


def test_deaf_guest_gets_its_power_cut_at_the_timeout(tmp_path):
    clock = ManualClock()
    driver = make(tmp_path, clock, deaf_guests=["deaf*"], shutdown_delay=2)
    deaf, polite = server(display_name="deaf-1"), server(display_name="polite")
    for guest, seconds in ((deaf, 60), (polite, 2)):
        driver.spawn(request(guest))
        began = clock.monotonic()
        driver.power_off(guest.uuid, timeout=60)
        assert driver.power_state(guest.uuid) is PowerState.SHUTDOWN
        assert clock.monotonic() - began == pytest.approx(seconds, abs=0.1)


def test_guests_outlive_the_process_in_a_state_file(tmp_path):
    ours = server()
    first = make(tmp_path, state_file="fake/guests.sqlite")
    first.spawn(request(ours))
    first.hypervisor.guest_prints(ours.uuid, "hello\n")
    second = FakeHypervisor(str(tmp_path / "fake" / "guests.sqlite"))   # as after kill -9: the first was never closed
    driver = make(tmp_path, hypervisor=second)
    assert driver.power_state(ours.uuid) is PowerState.RUNNING
    assert driver.leftovers(ours.uuid) == first.leftovers(ours.uuid)
    assert driver.console_output(ours.uuid, 1, 1000) == b"hello\n"
    driver.destroy(ours.uuid, ours.name, ())
    third = FakeHypervisor(str(tmp_path / "fake" / "guests.sqlite"))
    assert third.guests() == ()
    for hypervisor in (first.hypervisor, second, third):
        hypervisor.close()


def test_usage_follows_guests(tmp_path):
    driver = make(tmp_path, local_gb=100)
    big = server(flavor=Flavor(flavorid="2", name="big", vcpus=2, memory_mb=2048, root_gb=20, ephemeral_gb=10))
    driver.spawn(request(big))
    assert (driver.usage().memory_mb_used, driver.usage().local_gb_used, driver.usage().disk_available_least) == (2048, 30, 70)
    driver.power_off(big.uuid, timeout=0)
    assert (driver.usage().memory_mb_used, driver.usage().local_gb_used, driver.usage().running_vms) == (0, 30, 0)


def test_spawning_costs_the_same_beside_many_guests(tmp_path):
    driver = make(tmp_path)
    requests = [request(server()) for _ in range(200)]

    def cost(some):
        began = time.process_time()
        for one in some:
            driver.spawn(one)
        return time.process_time() - began
    first = cost(requests[:50])
    cost(requests[50:150])
    assert cost(requests[150:]) < 5 * first + 0.05, "what a spawn costs grows with the guests that are there"
