"""Real things for live tests: a libvirtd of our own, the small guest image, and whole clouds."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import guest_image, libvirtd
from devstack.guest_image import GuestImage
from devstack.settings import Settings
from tests.live.clouds import MEASURED, Cloud, free_ports

#: Short times, so that what is repaired now and then is repaired soon; but a host whose broker is away for half a minute is
#: not down.
SOON = {
    "DEFAULT.report_interval": "1", "DEFAULT.service_down_time": "40", "conductor.sweep_interval": "0.5",
    "conductor.reconcile_interval": "3", "conductor.allocate_timeout": "45", "conductor.build_timeout": "60",
    "conductor.destroy_timeout": "40", "conductor.lease_time": "15", "identity.password_hash_rounds": "4",
}
#: What the pretended hypervisors are: room for ten servers with a disk of 10 GiB each; servers named slow-* take their time.
FAKE = {"fake.state_file": "guests.sqlite", "fake.local_gb": "100", "fake.strict": "true", "fake.fault": "spawn match=slow-* hang=4 at=disks"}


def _missing(what: str) -> None:
    complain = pytest.fail if os.environ.get("NOVALIKE_TEST_REQUIRE") == "1" else pytest.skip
    complain(what)


def _need_libvirt() -> None:
    if os.geteuid() != 0 or not shutil.which("libvirtd") or not shutil.which("qemu-system-x86_64"):
        _missing("libvirtd and QEMU are not installed, or this is not root")


@pytest.fixture(scope="session")
def libvirt_state() -> Iterator[Path]:
    """The state directory of a libvirtd which runs for this test session alone."""
    _need_libvirt()
    # Not pytest's own directory: names of sockets may have no more than 107 letters.
    state = Path(tempfile.mkdtemp(prefix="nlv-"))
    libvirtd.start(state)
    yield state
    libvirtd.stop(state)
    shutil.rmtree(state)


@pytest.fixture(scope="session")
def libvirt_uri(libvirt_state) -> str:
    return libvirtd.start(libvirt_state)


@pytest.fixture(scope="session")
def guest() -> GuestImage:
    """The small guest image, built once into .cache/."""
    try:
        return guest_image.build()
    except (OSError, RuntimeError) as error:
        _missing(f"the guest image cannot be built: {error}")
        raise


@pytest.fixture(scope="session")
def tiny_image(guest) -> Path:
    """The folder with tiny.qcow2, tiny.ext4, tiny.vmlinuz and tiny.initrd."""
    return guest.disk.parent


def _running(settings: Settings) -> Iterator[Cloud]:
    cloud = Cloud(Path(tempfile.mkdtemp(prefix="nlc-")))
    try:
        cloud.up(settings)
        yield cloud
    finally:
        if cloud.stack.settings is not None:
            cloud.down()


@pytest.fixture(scope="session")
def embedded() -> Iterator[Cloud]:
    """A cloud in one process, with two pretended hypervisors."""
    yield from _running(Settings(shape="embedded", driver="fake", computes=2, ports=free_ports(), options=SOON | FAKE))


@pytest.fixture(scope="session")
def single() -> Iterator[Cloud]:
    """A cloud of one process per daemon, on MariaDB and RabbitMQ, with four pretended hypervisors."""
    if not shutil.which("mariadbd") or not shutil.which("rabbitmq-server"):
        _missing("MariaDB and RabbitMQ are not installed")
    yield from _running(Settings(shape="single", driver="fake", computes=4, ports=free_ports(), options=SOON | FAKE))


@pytest.fixture(params=["embedded", "single"])
def cloud(request) -> Iterator[Cloud]:
    """The same test on both shapes."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def guests(guest) -> Iterator[Cloud]:
    """A cloud in one process which runs real guests on this machine, apart from whatever else is on its network."""
    _need_libvirt()
    yield from _running(Settings(shape="embedded", driver="libvirt", apart=True, ports=free_ports(), options=SOON))


@pytest.fixture(scope="module")
def single_guests(guest) -> Iterator[Cloud]:
    """A cloud of one process per daemon which runs real guests, in a network namespace of their own."""
    _need_libvirt()
    yield from _running(Settings(shape="single", driver="libvirt", apart=True, ports=free_ports(), options=SOON))


@pytest.fixture(scope="session")
def two_nodes(guest) -> Iterator[Cloud]:
    """A cloud whose two hypervisors are pretended machines of their own, with real guests, whose networks reach over both."""
    _need_libvirt()
    options = SOON | {"network.network_type": "vxlan", "network.physical_interfaces": "public:wire"}
    yield from _running(Settings(shape="single", driver="libvirt", computes=2, ports=free_ports(), options=options))


def pytest_terminal_summary(terminalreporter) -> None:
    """Show what was measured."""
    if MEASURED:
        terminalreporter.section("measured")
        for text in MEASURED:
            terminalreporter.write_line(text)
