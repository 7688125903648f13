"""What libvirt and the kernel tell of a host's hardware, and what operators let of it be offered."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from novalike.exception import Invalid
from novalike.hardware.offer import offer
from novalike.objects.hardware import HostCell, HostDevice, Pages
from novalike.objects.host import CustomResource
from novalike.virt.fake import hardware as pretended
from novalike.virt.libvirt import hardware
from tests import factories_hosts as make

CAPABILITIES = ET.fromstring("""
<capabilities><host><topology><cells num='2'>
 <cell id='0'><memory unit='KiB'>4194304</memory><pages unit='KiB' size='4'>524288</pages><pages unit='KiB' size='2048'>1024</pages>
  <cpus num='4'><cpu id='0' socket_id='0' core_id='0' siblings='0,2'/><cpu id='1' socket_id='0' core_id='1' siblings='1,3'/>
   <cpu id='2' socket_id='0' core_id='0' siblings='0,2'/><cpu id='3' socket_id='0' core_id='1' siblings='1,3'/></cpus></cell>
 <cell id='1'><memory unit='KiB'>1048576</memory><pages unit='KiB' size='4'>262144</pages>
  <cpus num='1'><cpu id='4' socket_id='1' core_id='0' siblings='4'/></cpus></cell>
</cells></topology></host></capabilities>""")
CELLS = (
    HostCell(id=0, cpus="0-3", memory_mb=4096, siblings=("0,2", "1,3"), socket=0, pages=(Pages(size_kb=4, total=524288), Pages(size_kb=2048, total=1024))),
    HostCell(id=1, cpus="4", memory_mb=1024, socket=1, pages=(Pages(size_kb=4, total=262144),)),
)


def test_cells_of_libvirt():
    assert hardware.cells(CAPABILITIES) == CELLS


def test_devices_of_the_kernel(tmp_path):
    def add(address, kind="0x020000", **files):
        here = tmp_path / address
        here.mkdir()
        for name, text in {"class": kind, "vendor": "0x8086", "device": "0x1520", **files}.items():
            (here / name).write_text(f"{text}\n")
        return here
    add("0000:00:01.0", "0x060400")
    parent = add("0000:81:00.0", numa_node="1", sriov_totalvfs="7")
    (add("0000:81:10.0", numa_node="1") / "physfn").symlink_to(parent)
    add("0000:05:00.0", numa_node="-1")
    assert hardware.devices(str(tmp_path)) == (
        HostDevice(address="0000:05:00.0", vendor_id="8086", product_id="1520"),
        HostDevice(address="0000:81:00.0", vendor_id="8086", product_id="1520", type="type-PF", numa_node=1),
        HostDevice(address="0000:81:10.0", vendor_id="8086", product_id="1520", type="type-VF", numa_node=1, parent="0000:81:00.0"),
    )
    assert hardware.devices(str(tmp_path / "none")) == ()


def test_pretended_hardware():
    assert pretended.cells(["cpus=0-3 memory_mb=4096 threads=2 pages=2048:1024 socket=0"])[0] == HostCell(
        id=0, cpus="0-3", memory_mb=4096, siblings=("0-1", "2-3"), socket=0, pages=CELLS[0].pages,
    )
    with pytest.raises(Invalid, match="cannot pretend"):
        pretended.cells(["memory_mb=1"])


@pytest.mark.parametrize(("shared", "dedicated", "vcpus", "pcpus", "cells"), [
    (None, None, 5, None, [("0-3", ""), ("4", "")]), ("0-1", None, 2, None, [("0-1", ""), ("", "")]),
    (None, "1,3-4", 0, 3, [("", "1,3"), ("", "4")]), ("0,2", "3-4", 2, 2, [("0,2", "3"), ("", "4")]),
])
def test_which_cpus_float_and_which_are_dedicated(shared, dedicated, vcpus, pcpus, cells):
    found = offer(make.inventory(vcpus=5, cells=CELLS), shared_set=shared, dedicated_set=dedicated)
    assert found.vcpus == vcpus
    assert found.resources.get("PCPU") == (CustomResource(total=pcpus) if pcpus else None)
    assert [(cell.shared, cell.dedicated) for cell in found.cells] == cells


def test_pages_and_devices_are_offered_as_operators_say():
    device = HostDevice(address="0000:05:00.0", vendor_id="8086", product_id="1520")
    found = offer(
        make.inventory(cells=CELLS, devices=(device,)), shared_set=None, dedicated_set=None,
        reserved_pages=("node:0,size:2048,count:64", "node: 1, size: 1GB, count: 2"),
    )
    assert (found.cells[0].pages[1].reserved, found.devices) == (64, ())
    assert offer(found, shared_set=None, dedicated_set=None).devices == ()
    offered = offer(make.inventory(cells=CELLS, devices=(device,)), shared_set=None, dedicated_set=None, device_spec=('{"vendor_id": "8086"}',))
    assert offered.devices == (device,)


@pytest.mark.parametrize(("shared", "dedicated", "pages", "text"), [
    ("0-2", "2-3", (), "both name CPU 2"), ("7", None, (), "names CPU 7"), (None, None, ("node:0,size:2048",), "is not of the form"),
    (None, None, ("node:0,size:x,count:1",), "is not of the form"),
])
def test_what_cannot_be_offered_stops_the_daemon(shared, dedicated, pages, text):
    with pytest.raises(Invalid, match=text):
        offer(make.inventory(cells=CELLS), shared_set=shared, dedicated_set=dedicated, reserved_pages=pages)
