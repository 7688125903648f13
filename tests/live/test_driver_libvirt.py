"""The driver contract over a real libvirtd, and what only real guests can show."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import statistics
import subprocess
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import libvirt
import pytest

from devstack import libvirtd
from novalike.exception import BuildFailed
from novalike.objects.flavor import Flavor
from novalike.objects.hardware import GuestCell, Hardware
from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState
from novalike.privileged import links
from novalike.virt.driver import Driver, RescueRequest, SpawnRequest
from novalike.virt.libvirt import qcow2
from novalike.virt.libvirt.driver import LibvirtDriver
from tests.factories_compute import config
from tests.factories_instances import instance
from tests.fakes import image_files
from tests.fakes.volumes import Volumes
from tests.laws.contract_copies import CopiesContract
from tests.laws.contract_devices import DeviceContract
from tests.laws.contract_moves import MovesContract
from tests.laws.contract_rebuild import PASSWORD, RebuildContract
from tests.laws.driver_contract import DriverContract, DriverFixtures, eventually

pytestmark = [pytest.mark.libvirt, pytest.mark.root]
TINY = Flavor(flavorid="1", name="m1.tiny", vcpus=1, memory_mb=128, root_gb=1)
EXPECTED = Path(__file__).parents[1] / "unit" / "virt" / "libvirt" / "expected"


@pytest.fixture(scope="module")
def images(tiny_image):
    """Where the image service serves the small guest: disk, kernel with ramdisk, and a root file system for those."""
    with image_files.serve() as server:
        yield {
            name: server.add(name, (tiny_image / name).read_bytes(), kind)
            for name, kind in (("tiny.qcow2", "qcow2"), ("tiny.ext4", "ami"), ("tiny.vmlinuz", "aki"), ("tiny.initrd", "ari"))
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """State of the compute host; its image cache is filled once."""
    return tmp_path_factory.mktemp("compute")


@pytest.fixture
def driver(libvirt_uri, folder):
    return LibvirtDriver(config(folder, libvirt__connection_uri=libvirt_uri, compute__transfer_listen="127.0.0.1"))


@pytest.fixture(scope="module")
def bridge():
    name = f"nlt{uuid.uuid4().hex[:8]}"
    yield name
    links.delete(name)


def kernel_request(server: Instance, images: dict[str, ImageSource], vifs: tuple[Vif, ...] = ()) -> SpawnRequest:
    return SpawnRequest(
        instance=replace(server, flavor=TINY), vifs=vifs, image=images["tiny.ext4"], kernel=images["tiny.vmlinuz"],
        ramdisk=images["tiny.initrd"],
    )


class LibvirtGuests(DriverFixtures):
    """What contracts want to know of guests under libvirt."""

    patience = 5.0

    @pytest.fixture(autouse=True)
    def _surroundings(self, images, bridge, libvirt_uri):
        self.images, self.bridge, self.uri = images, bridge, libvirt_uri

    def request_for(self, server: Instance) -> SpawnRequest:
        number = server.id % 0xFFFFFF
        vif = Vif(
            port_id=f"{number:08x}-0000-4000-8000-000000000000", network_id="n", label="net", bridge=self.bridge, tap=f"tap{number:08x}-00",
            mac=f"fa:16:3e:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}", mtu=1450,
        )
        return kernel_request(server, self.images, (vif,))

    def shown(self, server: Instance) -> ET.Element:
        """The guest's definition, as libvirt has it now."""
        other = libvirt.open(self.uri)
        try:
            return ET.fromstring(other.lookupByUUIDString(server.uuid).XMLDesc(0))
        finally:
            other.close()


class TestLibvirtDriver(LibvirtGuests, DriverContract):
    def powers_itself_off(self, driver: Driver, server: Instance) -> None:
        other = libvirt.open(self.uri)
        try:
            other.lookupByUUIDString(server.uuid).destroy()
        except libvirt.libvirtError as error:            # a libvirtd which just started says so of guests it stops
            assert error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID
        other.close()

    def test_usage_counts_running_guests(self, started, server, request_):
        """Memory is the whole host's here, on which others work as well."""
        before = started.usage()
        started.spawn(request_)
        during = started.usage()
        assert during.running_vms == before.running_vms + 1
        assert during.memory_mb_used > 0 and during.local_gb_used > 0 and "load average" in during.uptime

    def test_destroy_leaves_no_tap(self, started, server, request_):
        started.spawn(request_)
        assert f"tap:{request_.vifs[0].tap}" in started.leftovers(server.uuid, request_.vifs)
        started.destroy(server.uuid, server.name, request_.vifs)
        assert started.leftovers(server.uuid, request_.vifs) == ()
        assert links.is_bridge(self.bridge), "the bridge belongs to the network, not to the server"

    def test_guests_and_news_survive_a_killed_libvirtd(self, started, server, request_, heard, libvirt_state):
        started.spawn(request_)
        heard.clear()
        os.kill(libvirtd.daemon_pid(libvirt_state), signal.SIGKILL)
        eventually(lambda: (server.uuid, PowerState.RUNNING) in heard, 15, f"nothing was told after reconnecting, only {heard}")
        assert started.power_state(server.uuid) is PowerState.RUNNING
        self.powers_itself_off(started, server)
        eventually(lambda: (server.uuid, PowerState.SHUTDOWN) in heard, 5, f"events of the new connection are not heard, only {heard}")

    def test_a_half_made_guest_is_replaced(self, started, server, request_):
        """As left by a daemon which died between defining and starting."""
        started.spawn(request_)
        started.power_off(server.uuid, timeout=0)
        Path(started._disks.file(server.uuid, "disk")).unlink()
        started.spawn(request_)
        assert started.power_state(server.uuid) is PowerState.RUNNING

    def test_a_name_which_another_guest_has_is_a_failed_build(self, started, server, request_):
        started.spawn(request_)
        twin = replace(request_, instance=replace(request_.instance, uuid=str(uuid.uuid4())))
        try:
            with pytest.raises(BuildFailed) as failure:
                started.spawn(twin)
            assert server.name not in str(failure.value), "users do not know the hypervisor's names"
        finally:
            started.destroy(twin.instance.uuid, server.name, ())
        assert started.power_state(server.uuid) is PowerState.RUNNING, "the other guest was harmed"


class TestLibvirtRebuilds(LibvirtGuests, RebuildContract):
    def rescue_request(self, request: SpawnRequest, attempt: str, **properties: str) -> RescueRequest:
        return RescueRequest(
            guest=request, attempt=attempt, image=self.images["tiny.ext4"], kernel=self.images["tiny.vmlinuz"],
            ramdisk=self.images["tiny.initrd"], properties=properties, admin_password=PASSWORD,
        )

    def disks_seen(self, driver: LibvirtDriver, server: Instance) -> list[str]:
        return [Path(source.get("file")).name for source in self.shown(server).iterfind("devices/disk/source")]

    def identity(self, driver: LibvirtDriver, server: Instance) -> object:
        return Path(driver._disks.file(server.uuid, "disk")).stat().st_ino

    def test_a_stable_rescue_boots_from_its_disk(self, running, server, request_):
        asked = replace(self.rescue_request(request_, "one", hw_rescue_bus="virtio"), image=self.images["tiny.qcow2"], kernel=None, ramdisk=None)
        running.prepare_rescue(asked)
        running.rescue(asked)
        order = {disk.find("target").get("dev"): disk.find("boot") for disk in self.shown(server).iterfind("devices/disk")}
        assert order["vdb"].get("order") == "1"
        assert order["vda"] is None
        assert self.shown(server).find("os/boot") is None

    def test_a_stable_rescue_from_a_kernel_names_its_root(self, running, server, request_):
        self.rescued(running, request_, hw_rescue_bus="virtio")
        assert "root=/dev/vdb " in self.shown(server).findtext("os/cmdline")

    @pytest.mark.parametrize("properties", [{"hw_rescue_bus": "carrier-pigeon"}, {"hw_rescue_device": "floppy"}])
    def test_unknown_places_for_rescue_disks_are_refused_before_anything_is_touched(self, running, server, request_, properties):
        pieces = sorted(running.leftovers(server.uuid))
        with pytest.raises(BuildFailed, match="is not supported"):
            running.prepare_rescue(self.rescue_request(request_, "one", **properties))
        running.unrescue(request_, start=True)
        assert sorted(running.leftovers(server.uuid)) == pieces

    def test_a_machine_that_cannot_be_is_refused_before_anything_is_touched(self, running, server, request_):
        impossible = replace(request_, instance=replace(
            request_.instance, image_properties={"hw_machine_type": "q35", "hw_disk_bus": "ide"},
        ))
        before = self.identity(running, server)
        with pytest.raises(BuildFailed, match="no IDE bus"):
            self.prepare(running, impossible)
        assert running.abandon_rebuild(server.uuid, attempt="one") is True
        assert self.identity(running, server) == before

    def test_half_a_replacement_is_finished_or_taken_back(self, running, server, request_):
        """As left by a daemon which died between the two renames."""
        before = self.identity(running, server)
        folder = Path(running._disks.folder(server.uuid))
        for finish in (False, True):
            self.prepare(running, request_)
            running.power_off(server.uuid, timeout=0)
            folder.rename(folder.with_name(f"{folder.name}_old"))
            if finish:
                running.replace_disks(server.uuid, attempt="one")
            else:
                assert running.abandon_rebuild(server.uuid, attempt="one") is True
            assert (self.identity(running, server) == before) is not finish
        assert not folder.with_name(f"{folder.name}_old").exists()



def test_kvm_is_not_believed_unless_it_runs_something(driver, folder):
    driver.start(lambda *_: None)
    kinds = {kind for _, kind, _ in driver.inventory().supported}
    driver.stop()
    assert "qemu" in kinds
    assert ("kvm" in kinds) == ('"works": true' in (folder / "kvm-probe.json").read_text() if (folder / "kvm-probe.json").exists() else False)


@pytest.mark.parametrize("shape", sorted(file.stem for file in EXPECTED.glob("*.xml")))
def test_libvirt_finds_the_checked_in_domains_valid(libvirt_uri, shape):
    connection = libvirt.open(libvirt_uri)
    text = (EXPECTED / f"{shape}.xml").read_text()
    if 'type="kvm"' in text and not os.path.exists("/dev/kvm"):
        text = text.replace('type="kvm"', 'type="qemu"', 1).replace('mode="host-model"', 'mode="maximum"')
    domain = connection.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    connection.close()


class TestLibvirtDevices(LibvirtGuests, DeviceContract):
    @pytest.fixture
    def driver(self, libvirt_uri, folder):
        # A guest which boots does not listen: it is asked often.
        return LibvirtDriver(config(
            folder, libvirt__connection_uri=libvirt_uri, libvirt__device_detach_timeout=2, libvirt__device_detach_attempts=30,
        ))

    @pytest.fixture
    def volumes(self, tmp_path):
        made = Volumes(folder=tmp_path)
        yield made
        made.close()

    def macs(self, driver: LibvirtDriver, server: Instance) -> list[str]:
        return [mac.get("address") for mac in self.shown(server).iterfind("devices/interface/mac")]

    def volumes_seen(self, driver: LibvirtDriver, server: Instance) -> list[str]:
        return [serial.text for serial in self.shown(server).iterfind("devices/disk/serial")]


@pytest.fixture
def started(driver):
    driver.start(lambda *_: None)
    yield driver
    driver.stop()


def boots(driver: LibvirtDriver, request: SpawnRequest, words: bytes = b"tiny: ssh ready", seconds: float = 90) -> str:
    """Spawn, wait for words on the console, and answer its text."""
    driver.spawn(request)
    eventually(
        lambda: words in driver.console_output(request.instance.uuid, None, 1 << 20), seconds,
        f"{words!r} is not on the console",
    )
    return driver.console_output(request.instance.uuid, None, 1 << 20).decode(errors="replace")


@pytest.fixture
def server(started):
    ours = instance(
        id=uuid.uuid4().int % 0x7FFFFFFF, display_name="Live 1", hostname="live-1", flavor=TINY, config_drive=True, key_name="mine",
        key_data="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ mine", user_data=base64.b64encode(b"#!/bin/sh\nexit 7\n").decode(),
    )
    yield ours
    started.destroy(ours.uuid, ours.name, ())
    assert started.leftovers(ours.uuid) == ()


LOOK = b"#!/bin/sh\nfor cell in /sys/devices/system/node/node?; do echo $cell holds $(cat $cell/cpulist) >/dev/console; done\nexit 7\n"


def test_a_guest_reads_its_config_drive_and_has_the_cells_it_was_granted(started, server, images, libvirt_uri):
    cpu = min(os.sched_getaffinity(0))
    cells = tuple(GuestCell(host_cell=0, cpus=(number,), memory_mb=128, pins=((number, cpu),) if number else ()) for number in range(2))
    request = kernel_request(replace(server, hardware=Hardware(cells=cells), user_data=base64.b64encode(LOOK).decode()), images)
    request = replace(request, instance=replace(request.instance, flavor=replace(TINY, vcpus=2, memory_mb=256)), admin_password=Secret("opensesame"))
    text = boots(started, request, b"user-data: exit")
    assert "node/node0 holds 0" in text
    assert "node/node1 holds 1" in text
    connection = libvirt.open(libvirt_uri)
    domain = connection.lookupByUUIDString(server.uuid)
    assert domain.numaParameters(0) == {"numa_mode": 0, "numa_nodeset": "0"}
    assert [number for number, used in enumerate(domain.vcpuPinInfo(0)[1]) if used] == [cpu]
    connection.close()
    assert f"tiny: instance {server.uuid} name live-1 from config drive /dev/sr0, 1 key(s)" in text
    assert "user-data: exit 7" in text
    assert "login:" in text


def test_a_bootable_disk_on_q35_shuts_down_and_reboots_when_asked(started, server, images):
    wanted = replace(server, image_properties={"hw_machine_type": "q35", "hw_qemu_guest_agent": "yes"}, user_data=None)
    request = SpawnRequest(instance=wanted, vifs=(), image=images["tiny.qcow2"])
    text = boots(started, request)
    assert f"instance {server.uuid} name live-1 from config drive" in text, "the config drive is invisible on q35"
    began = time.monotonic()
    started.reboot(request, hard=False, timeout=60)
    assert time.monotonic() - began < 55, "the guest did not shut down by itself"
    assert started.power_state(server.uuid) is PowerState.RUNNING
    eventually(
        lambda: b"tiny: ssh ready" in started.console_output(server.uuid, None, 1 << 20), 60, "it does not come up again",
    )
    began = time.monotonic()
    started.power_off(server.uuid, timeout=60)
    assert time.monotonic() - began < 55
    assert started.power_state(server.uuid) is PowerState.SHUTDOWN


def test_uefi(started, server, images):
    if "COMPUTE_FIRMWARE_UEFI" not in started.inventory().traits:
        pytest.skip("ovmf is not installed")
    wanted = replace(
        server, user_data=None, flavor=replace(TINY, memory_mb=256),
        image_properties={"hw_machine_type": "q35", "hw_firmware_type": "uefi"},
    )
    text = boots(started, SpawnRequest(instance=wanted, vifs=(), image=images["tiny.qcow2"]))
    assert f"instance {server.uuid}" in text


def test_spawning_costs_little_more_than_defining_and_starting_by_hand(started, server, images, libvirt_uri):
    request = kernel_request(server, images)
    started.spawn(request)
    connection = libvirt.open(libvirt_uri)
    text = connection.lookupByUUIDString(server.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    ours, by_hand = [], []
    for _ in range(5):
        started.destroy(server.uuid, server.name, ())
        began = time.perf_counter()
        started.spawn(request)
        ours.append(time.perf_counter() - began)
        started.power_off(server.uuid, timeout=0)
        connection.lookupByUUIDString(server.uuid).undefine()
        began = time.perf_counter()
        connection.defineXML(text).create()
        by_hand.append(time.perf_counter() - began)
    connection.close()
    extra = statistics.median(ours) - statistics.median(by_hand)
    assert extra < 0.150, f"spawn takes {statistics.median(ours):.3f} s, by hand {statistics.median(by_hand):.3f} s"


def test_the_image_is_what_the_service_announced(images, tiny_image, started, server, folder):
    started.spawn(kernel_request(server, images))
    name = hashlib.sha1(b"tiny.vmlinuz").hexdigest()
    assert (folder / "instances" / "_base" / name).read_bytes() == (tiny_image / "tiny.vmlinuz").read_bytes()


class TestLibvirtMoves(LibvirtGuests, MovesContract):
    """The other host has folders of its own, and the same libvirtd: what two of those do, test_resize.py shows."""

    MARK_AT, MARK = 900 << 20, "0x5a"

    @pytest.fixture
    def other(self, libvirt_uri, tmp_path):
        made = LibvirtDriver(config(tmp_path / "other", libvirt__connection_uri=libvirt_uri))
        made.start(lambda guest_uuid, state: None)
        yield made
        made.stop()

    def mark(self, driver: LibvirtDriver, server: Instance) -> None:
        self._qemu_io(driver, server, f"write -P {self.MARK} {self.MARK_AT} 64k")

    def is_marked(self, driver: LibvirtDriver, server: Instance) -> bool:
        return "verification failed" not in self._qemu_io(driver, server, f"read -P {self.MARK} {self.MARK_AT} 64k")

    @staticmethod
    def _qemu_io(driver: LibvirtDriver, server: Instance, command: str) -> str:
        disk = driver._disks.file(server.uuid, "disk")
        return subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, disk], capture_output=True, text=True, check=True).stdout

    def size_of(self, driver: LibvirtDriver, server: Instance) -> tuple[int, int]:
        header = qcow2.header(driver._disks.file(server.uuid, "disk"))
        return int(self.shown(server).findtext("memory")) >> 10, header.virtual_size >> 30

    def test_another_host_fetches_the_image_too(self, marked, other, server, request_, larger):
        offer = self.out(marked, request_, ticket=Secret("a ticket"), ticket_seconds=60)
        cache = Path(other._disks.instances_path) / "_base"
        assert not cache.exists()
        self.fetch(other, larger, offer, ticket=Secret("a ticket"))
        [image] = [file for file in cache.iterdir() if not file.suffix]
        assert qcow2.backing(other._disks.file(server.uuid, "disk")).path == str(image)
        assert (Path(other._disks.folder(server.uuid)) / "kernel").stat().st_size > 1 << 20
        swap = Path(other._disks.folder(server.uuid)) / "disk.swap"
        assert swap.stat().st_size == 8 << 20, "swap is made anew, of the new flavor's size"
        other.destroy(server.uuid, server.name, request_.vifs)


class TestLibvirtCopies(LibvirtGuests, CopiesContract):
    def holds_what_was_copied(self, content: bytes, disk_format: str) -> bool:
        assert disk_format == "qcow2"
        assert content[:4] == qcow2.MAGIC
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            assert qcow2.backing(file.name) is None, "the copy is not flat"
            subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", file.name], check=True)
            subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", file.name, f"{file.name}.raw"], check=True)
            with open(f"{file.name}.raw", "rb") as raw:
                os.unlink(raw.name)
                superblock = raw.read(2048)[1024:]
        return superblock[56:58] == b"\x53\xef"      # ext4: what is below the overlay came along
