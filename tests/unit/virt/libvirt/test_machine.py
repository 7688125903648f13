"""Domain XML of a few shapes, as checked-in text. Write it anew with NOVALIKE_WRITE_EXPECTED=1 and read the difference."""

import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from novalike.exception import BuildFailed
from novalike.objects.block_device import BlockDevice
from novalike.objects.hardware import GuestCell, GuestDevice, Hardware
from novalike.objects.network_info import FixedIp, Vif
from novalike.objects.secret import Secret
from novalike.virt.driver import SpawnRequest
from novalike.virt.libvirt import demands, granted, volumes
from novalike.virt.libvirt.disks import DiskFile
from novalike.virt.libvirt.granted import Floating
from novalike.virt.libvirt.machine import Files, HostChoices, machine
from tests.factories_instances import SMALL, instance

EXPECTED = Path(__file__).parent / "expected"
MADE = datetime(2026, 11, 21, 12, 0, 0)  # noqa: DTZ001  # naive UTC, as the Clock answers
FOLDER = "/instances/11111111-2222-4333-8444-555555555555"
GIB = 1 << 30
ROOT = DiskFile(name="disk", format="qcow2", role="root", size=GIB)
EPHEMERAL = DiskFile(name="disk.eph0", format="raw", role="ephemeral", size=GIB)
SWAP = DiskFile(name="disk.swap", format="raw", role="swap", size=GIB)
CONFIG = DiskFile(name="disk.config", format="raw", role="config_drive", size=1 << 19, device="cdrom")
VIF = Vif(
    port_id="77777777-aaaa-4bbb-8ccc-dddddddddddd", network_id="n", label="private", mac="fa:16:3e:00:00:01", bridge="br-lan",
    tap="tap77777777-aa", mtu=1450, fixed_ips=(FixedIp(address="10.0.0.5", subnet_id="s"),),
)
EMULATED = HostChoices(type="qemu", version="0.1.0", tb_cache_mb=64)
HARDWARE = HostChoices(type="kvm", version="0.1.0", tb_cache_mb=64, cpu_flags=("-svm", "+pdpe1gb"), vnc_listen="192.0.2.1")


def server(properties=None, **flavor):
    return instance(
        id=26, uuid="11111111-2222-4333-8444-555555555555", display_name='<web> & "co"', image_ref="99999999-0000-4000-8000-000000000000",
        image_properties=properties or {}, flavor=replace(SMALL, **flavor),
    )


def volume(number, kind, *, device, **given):
    """A volume with this connection."""
    return BlockDevice(
        uuid=f"{number:08d}-0000-4000-8000-000000000000", source_type="volume", destination_type="volume", device_name=device,
        volume_id=f"{number:08d}-1111-4111-8111-111111111111", connection=Secret(json.dumps({"driver_volume_type": kind, "data": given})),
    )


ISCSI = {
    "target_portal": "192.0.2.5:3260", "target_iqn": "iqn.2010-10.org.openstack:volume-1", "target_lun": 1, "auth_method": "CHAP",
    "auth_username": "me", "auth_password": "do not tell",
}
VOLUMES = (
    volume(2, "iscsi", device="/dev/vdd", **ISCSI, qos_specs={"total_iops_sec": "500"}),
    volume(1, "nbd", device="/dev/vdb", host="127.0.0.1", port=10811, export="vol"),
    volume(3, "rbd", device="/dev/vdc", name="volumes/three", hosts=["192.0.2.7", "192.0.2.8"], ports=["6789", 6789], auth_enabled=True,
           auth_username="cinder", secret_uuid="22222222-0000-4000-8000-000000000000"),
    volume(4, "local", device="/dev/vda", device_path="/dev/mapper/four", access_mode="ro", discard=True),
    volume(5, "nbd", device="/dev/sdb", socket="/run/nbd.sock", export="five", format="qcow2"),
)

#: Mixed CPUs in two cells, an emulator of its own, huge pages, and a virtual function.
GRANTED = Hardware(
    cells=(
        GuestCell(host_cell=1, cpus=(0, 1, 2), memory_mb=1024, page_kb=2048, pins=((0, 4), (1, 20))),
        GuestCell(host_cell=0, cpus=(3, 4, 5), memory_mb=512, page_kb=4, pins=((3, 2), (4, 18), (5, 3))),
    ),
    emulator="isolate", emulator_cpus=(5,), devices=(GuestDevice(alias="nic", address="0000:81:10.1", vendor_id="8086", product_id="1520"),),
)


def render(of, files, host, vifs=(VIF,), disks=(), **options):
    request = SpawnRequest(instance=of, vifs=vifs, block_devices=disks)
    return machine(request, demands.of(of), files, host, made=MADE, **options)


SHAPES = {
    "emulated-kernel": lambda: render(
        server(memory_mb=128), Files(folder=FOLDER, disks=(ROOT, CONFIG), kernel=True, ramdisk=True), EMULATED),
    "hardware-uefi-scsi": lambda: render(
        server(
            {"hw_firmware_type": "uefi", "hw_machine_type": "q35", "hw_disk_bus": "scsi", "hw_vif_model": "e1000e",
             "hw_qemu_guest_agent": "yes", "hw_watchdog_action": "reset", "hw_video_model": "qxl"},
            vcpus=4, memory_mb=4096, extra_specs={
                "hw:cpu_sockets": "1", "quota:cpu_shares": "512", "quota:cpu_quota": "20000", "quota:disk_total_iops_sec": "500",
                "hw_rng:rate_bytes": "1024", "hw_rng:rate_period": "1000"}),
        Files(folder=FOLDER, disks=(ROOT, EPHEMERAL, SWAP, CONFIG)), HARDWARE),
    "volumes": lambda: render(
        server({"hw_machine_type": "q35"}), Files(folder=FOLDER, disks=(ROOT, CONFIG)), replace(EMULATED, pcie_ports=3), disks=VOLUMES),
    "hardware-granted": lambda: render(
        replace(server(vcpus=6, memory_mb=1536), hardware=GRANTED), Files(folder=FOLDER, disks=(ROOT,)),
        replace(HARDWARE, floating=Floating(chosen="12-15", cells={0: "12-13", 1: "14-15"}))),
    "bare": lambda: render(
        server({"hw_pointer_model": "ps2mouse"}, extra_specs={"hw_rng:allowed": "false"}), Files(folder=FOLDER, disks=(ROOT,)),
        replace(EMULATED, vnc_listen=None, stats_period=0, tb_cache_mb=0, serial="", cpu_mode="none"), vifs=()),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_domain_xml(shape):
    text = SHAPES[shape]()[0].text() + "\n"
    file = EXPECTED / f"{shape}.xml"
    if os.environ.get("NOVALIKE_WRITE_EXPECTED") == "1":
        file.write_text(text)
    assert text == file.read_text()


def test_where_emulators_run():
    floating = Floating(chosen="12-15", cells={0: "12-13", 1: "14-15"})
    assert granted.emulator(replace(GRANTED, emulator="share"), floating) == "12-15"
    assert granted.emulator(replace(GRANTED, emulator=None), floating) == "2-4,14-15,18,20"
    assert granted.emulator(None, floating) is None


def test_servers_without_hardware_of_their_own_float_where_operators_say():
    domain, _ = render(server(), Files(folder=FOLDER, disks=(ROOT,)), replace(EMULATED, floating=Floating(chosen="2-3")))
    assert '<vcpu placement="static" cpuset="2-3">1</vcpu>' in domain.text()


def test_what_was_not_granted_is_not_promised():
    with pytest.raises(BuildFailed, match="granted no hardware for hw:cpu_policy"):
        render(server(extra_specs={"hw:cpu_policy": "dedicated"}), Files(folder=FOLDER, disks=(ROOT,)), EMULATED)
    with pytest.raises(BuildFailed, match="no CPUs for servers to share"):
        render(replace(server(vcpus=6), hardware=GRANTED), Files(folder=FOLDER, disks=(ROOT,)), replace(EMULATED, floating=Floating(cells={0: "1"})))


def test_guests_see_the_threads_on_which_they_are():
    pinned = replace(server(vcpus=4), hardware=Hardware(threads=2))
    assert (demands.of(pinned).sockets, demands.of(pinned).threads) == (2, 2)
    named = replace(server(vcpus=4, extra_specs={"hw:cpu_cores": "4"}), hardware=Hardware(threads=2))
    assert (demands.of(named).cores, demands.of(named).threads) == (4, 1)


@pytest.mark.parametrize(("bus", "device"), [("virtio", "/dev/vda"), ("scsi", "/dev/sda"), ("ide", "/dev/hda"), ("sata", "/dev/sda")])
def test_root_device_follows_the_bus(bus, device):
    files = Files(folder=FOLDER, disks=(ROOT, CONFIG), kernel=True)
    domain, root_device = render(server({"hw_disk_bus": bus}), files, EMULATED)
    assert root_device == device
    assert f"root={device} console=tty0 console=ttyS0" in domain.text()


def test_config_drive_is_seen_by_kernels_without_sata():
    domain, _ = render(server({"hw_machine_type": "q35"}), Files(folder=FOLDER, disks=(ROOT, CONFIG)), EMULATED)
    assert 'bus="scsi"' in domain.text()
    assert 'model="virtio-scsi"' in domain.text()


def test_q35_has_no_ide():
    with pytest.raises(BuildFailed, match="IDE"):
        render(server({"hw_machine_type": "q35", "hw_disk_bus": "ide"}), Files(folder=FOLDER, disks=(ROOT,)), EMULATED)


def test_an_iso_boots_from_the_cdrom():
    iso = DiskFile(name="disk", format="raw", role="root", size=1000, device="cdrom")
    domain, root_device = render(server(), Files(folder=FOLDER, disks=(iso,)), EMULATED)
    assert root_device == "/dev/hda"
    assert '<boot dev="cdrom" />' in domain.text()


def test_text_which_xml_cannot_carry_does_not_break_it():
    domain, _ = render(replace(server(), display_name="a\x00\x0bb\ud800"), Files(folder=FOLDER, disks=(ROOT,)), EMULATED)
    assert "<nova:name>a\ufffd\ufffdb\ufffd</nova:name>" in domain.text()


def test_a_port_without_a_bridge_is_refused():
    with pytest.raises(BuildFailed, match="bridge"):
        render(server(), Files(folder=FOLDER, disks=(ROOT,)), EMULATED, vifs=(replace(VIF, bridge=None),))


def test_a_password_is_never_in_the_definition():
    domain, _ = SHAPES["volumes"]()
    assert "do not tell" not in domain.text()
    login = volumes.login("11111111-2222-4333-8444-555555555555", VOLUMES[0])
    assert (login.kind, login.password) == ("iscsi", b"do not tell")
    assert login.secret in domain.text()
    assert "tell" not in repr(login)


@pytest.mark.parametrize("disk", [
    volume(1, "fibre_channel", device="/dev/vdb"), volume(1, "nbd", device="/dev/vdb", host="h"),
    volume(1, "iscsi", device="/dev/vdb"), volume(1, "nbd", device="/dev/vdb", host="h", port=1, export="e", encrypted=True),
    replace(volume(1, "nbd", device="/dev/vdb"), connection=None), replace(volume(1, "nbd", device="/dev/vdb"), connection=Secret("{no")),
    volume(1, "rbd", device="/dev/vdb", name="a/b", hosts=[], ports=[], auth_enabled=True, keyring="?"),
], ids=["unknown kind", "lacks something", "lacks all", "encrypted", "no connection", "malformed", "malformed key"])
def test_connections_which_no_disk_can_be_made_of(disk):
    with pytest.raises(BuildFailed) as refused:
        volumes.disk("11111111-2222-4333-8444-555555555555", disk, target="vdb", bus="virtio")
    assert "{no" not in str(refused.value) + refused.value.details


def test_libvirt_limits_a_port_unless_the_network_service_does():
    limited = server(extra_specs={
        "quota:vif_inbound_average": "100", "quota:vif_inbound_burst": "300", "quota:vif_outbound_peak": "5", "quota:vif_outbound_average": "0",
    })
    domain, _ = render(limited, Files(folder=FOLDER, disks=(ROOT,)), EMULATED)
    words = " ".join(domain.text().split())
    assert '<bandwidth> <inbound average="100" burst="300" /> </bandwidth>' in words
    domain, _ = render(limited, Files(folder=FOLDER, disks=(ROOT,)), EMULATED, vifs=(replace(VIF, limited=True),))
    assert "<bandwidth" not in domain.text()
    with pytest.raises(BuildFailed, match="quota:vif_outbound_peak"):
        demands.of(server(extra_specs={"quota:vif_outbound_peak": "much"}))
