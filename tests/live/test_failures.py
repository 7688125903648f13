"""Daemons, broker and database die in the middle of builds: everything ends, with a reason, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import time
import uuid

import pytest

from devstack import mariadb, processes, rabbitmq
from tests.live.clouds import SDK_WARNS, Cloud, measured, until

pytestmark = [pytest.mark.timeout(240), SDK_WARNS]
#: Seconds in which everything must have ended, whatever died: deadlines of the stack plus the sweeps which find them.
BOUND = 60


@pytest.fixture(scope="module")
def image(single: Cloud) -> str:
    return single.admin.image.create_image("f", disk_format="raw", container_format="bare", visibility="public", data=b"\0" * 1024).id


@pytest.fixture(scope="module")
def flavor(single: Cloud) -> str:
    return single.admin.compute.create_flavor(name="failures", ram=64, vcpus=1, disk=1).id


@pytest.fixture(scope="module")
def network(single: Cloud) -> str:
    made = single.admin.network.create_network(name="failures")
    single.admin.network.create_subnet(network_id=made.id, ip_version=4, cidr="10.7.0.0/24")
    return made.id


@pytest.fixture
def builds(single: Cloud, image: str, flavor: str, network: str):
    """Starts servers whose spawn takes 4 s; afterwards every daemon runs, every server goes, and nothing may be left."""
    class Builds:
        ids: list[str] = []

        def start(self, count: int) -> None:
            name = f"slow-{uuid.uuid4().hex[:4]}"
            for _ in range(count):
                self.ids.append(single.admin.compute.create_server(
                    name=name, image_id=image, flavor_id=flavor, networks=[{"uuid": network}],
                ).id)

        def statuses(self) -> dict[str, int]:
            found: dict[str, int] = {}
            for server in single.admin.compute.servers():
                key = f"{server.status} {server.task_state or ''}".strip()
                found[key] = found.get(key, 0) + 1
            return found

        def spawning(self, count: int) -> None:
            """Wait until so many are being spawned on hosts."""
            until(f"{count} spawning", lambda: self.statuses().get("BUILD spawning", 0) >= count, 20, pause=0.05)

        def active(self, seconds: float = BOUND) -> float:
            """Wait until all are ACTIVE; answer after how many seconds."""
            begun = time.monotonic()
            for one in self.ids:
                single.wait(one, "ACTIVE", seconds=max(1.0, begun + seconds - time.monotonic()))
            return time.monotonic() - begun

    made = Builds()
    made.ids = []
    yield made
    for daemon in single.stack.daemons():
        single.stack.start(daemon)
    single.stack.wait_for_apis()
    for one in made.ids:
        single.admin.compute.delete_server(one)
    for one in made.ids:
        single.wait_gone(one)
    single.nothing_left()


@pytest.mark.parametrize("name", ["scheduler", "conductor", "compute1", "api"])
def test_a_daemon_killed_while_servers_are_built(single: Cloud, builds, name: str):
    builds.start(4)
    builds.spawning(1)
    single.kill(name)
    if name != "api":
        builds.start(2)                                  # asked for while it is dead
        time.sleep(1)
    single.start(name)
    if name == "api":
        single.stack.wait_for_apis()
        builds.start(2)
    measured(f"{name} killed: all ACTIVE after {builds.active():.1f} s")


@pytest.mark.parametrize("name", ["conductor", "compute1"])
def test_a_daemon_killed_while_servers_are_deleted(single: Cloud, builds, name: str):
    builds.start(4)
    builds.active()
    for one in builds.ids:
        single.admin.compute.delete_server(one)
    single.kill(name)
    time.sleep(0.5)
    single.start(name)
    begun = time.monotonic()
    for one in builds.ids:
        single.wait_gone(one, seconds=BOUND)
    measured(f"{name} killed: all deleted after {time.monotonic() - begun:.1f} s")
    builds.ids.clear()


def test_a_server_deleted_while_its_host_is_dead_stays_deleted(single: Cloud, builds):
    builds.start(2)
    builds.spawning(2)
    single.kill("compute1")
    for one in builds.ids:
        single.admin.compute.delete_server(one)
    time.sleep(2)
    single.start("compute1")
    for one in builds.ids:
        single.wait_gone(one, seconds=BOUND)
    builds.ids.clear()


def test_everything_killed_at_once(single: Cloud, builds):
    builds.start(3)
    builds.spawning(1)
    for daemon in single.stack.daemons():
        single.kill(daemon.name)
    for daemon in single.stack.daemons():
        single.stack.start(daemon)
    single.stack.wait_for_apis()
    measured(f"all killed: all ACTIVE after {builds.active():.1f} s")


def test_the_broker_is_gone_for_20_seconds(single: Cloud, builds):
    settings = single.stack.settings
    builds.start(3)
    builds.spawning(1)
    begun = time.monotonic()
    rabbitmq.stop(single.state / "rabbitmq")
    asked = time.monotonic()
    builds.start(2)                                      # a POST does not wait for the broker
    assert time.monotonic() - asked < 5, "the API hangs without a broker"
    time.sleep(max(0.0, begun + 20 - time.monotonic()))
    rabbitmq.start(
        single.state / "rabbitmq", settings.ports["rabbitmq"], address=settings.address, user="novalike", password=settings.broker_password,
    )
    measured(f"broker stopped for {time.monotonic() - begun:.0f} s: all ACTIVE {builds.active():.1f} s later")


def test_the_database_is_restarted(single: Cloud, builds):
    builds.start(3)
    builds.spawning(1)
    pid = processes.read_pid(single.state / "mariadb" / "mariadb.pid")
    os.kill(pid, signal.SIGKILL)
    until("MariaDB dead", lambda: not processes.alive(pid), 5)
    time.sleep(2)
    mariadb.start(single.state / "mariadb", single.stack.settings.ports["mariadb"])
    builds.start(2)
    measured(f"MariaDB killed: all ACTIVE after {builds.active():.1f} s")
