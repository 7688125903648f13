"""A guest which Nova defined and started goes on under our driver: seen by its uuid, stopped, started anew from our definition, removed."""

from __future__ import annotations

import json
import subprocess
import uuid
from xml.etree import ElementTree as ET

import libvirt
import pytest

from novalike.objects.flavor import Flavor
from novalike.objects.states import PowerState
from novalike.virt.driver import SpawnRequest
from novalike.virt.libvirt.driver import LibvirtDriver
from tests.factories_compute import config
from tests.factories_instances import instance

pytestmark = [pytest.mark.libvirt, pytest.mark.root]
TINY = Flavor(flavorid="1", name="m1.tiny", vcpus=1, memory_mb=64, root_gb=1)
#: What Nova's driver writes for such a server, without what its own metadata and devices would add.
DOMAIN = """<domain type="qemu"><uuid>{uuid}</uuid><name>{name}</name>
  <memory unit="KiB">65536</memory><vcpu>1</vcpu>
  <metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1"><nova:name>web</nova:name></nova:instance></metadata>
  <os><type arch="x86_64" machine="pc">hvm</type><boot dev="hd"/></os>
  <devices>
    <disk type="file" device="disk"><driver name="qemu" type="qcow2" cache="writeback"/><source file="{folder}/disk"/><target bus="virtio" dev="vda"/></disk>
    <disk type="file" device="disk"><driver name="qemu" type="raw" cache="writeback"/><source file="{folder}/disk.swap"/><target bus="virtio" dev="vdb"/></disk>
    <serial type="pty"><log file="{folder}/console.log" append="off"/></serial>
  </devices></domain>"""


@pytest.fixture
def connection(libvirt_uri):
    opened = libvirt.open(libvirt_uri)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", ["instance-0000002a", "vm-of-nova"])
def test_a_guest_of_nova_is_taken_over(tmp_path, libvirt_uri, connection, name):
    server = instance(id=42, uuid=str(uuid.uuid4()), flavor=TINY, vm_state="active", task_state=None, guest_name=None if name.startswith("instance") else name)
    folder = tmp_path / "instances" / server.uuid
    folder.mkdir(parents=True)
    for file, kind in (("disk", "qcow2"), ("disk.swap", "raw")):
        subprocess.run(["qemu-img", "create", "-q", "-f", kind, str(folder / file), "16M"], check=True)
    (folder / "disk.info").write_text(json.dumps({str(folder / "disk"): "qcow2", str(folder / "disk.swap"): "raw"}))
    stranger = connection.defineXML(f"<domain type='qemu'><name>{uuid.uuid4()}</name><memory unit='KiB'>65536</memory><os><type>hvm</type></os></domain>")
    domain = connection.defineXML(DOMAIN.format(uuid=server.uuid, name=name, folder=folder))
    domain.create()
    driver = LibvirtDriver(config(tmp_path, libvirt__connection_uri=libvirt_uri))
    try:
        assert (server.uuid, name, PowerState.RUNNING) in [(one.uuid, one.name, one.power_state) for one in driver.guests()]
        driver.power_off(server.uuid, timeout=0)
        assert driver.power_state(server.uuid) is PowerState.SHUTDOWN
        driver.power_on(SpawnRequest(instance=server, vifs=()))
        assert driver.power_state(server.uuid) is PowerState.RUNNING
        ours = ET.fromstring(domain.XMLDesc(0))
        disks = [(disk.find("driver").get("type"), disk.find("source").get("file")) for disk in ours.iterfind("devices/disk")]
        assert disks == [("qcow2", f"{folder}/disk"), ("raw", f"{folder}/disk.swap")]
        assert ours.findtext("name") == name
        driver.destroy(server.uuid, server.name, ())
        assert driver.leftovers(server.uuid) == ()
        assert stranger.isPersistent()
    finally:
        driver.stop()
        stranger.undefine()
