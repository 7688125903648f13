"""NUMATopologyFilter, PciPassthroughFilter, PCIWeigher, and how wishes reach them."""

import pytest

from novalike.exception import NoValidHost
from novalike.hardware import fitting
from novalike.hardware.capacity import Ratios, demand
from novalike.objects.hardware import GuestCell, Hardware, HostCell, HostDevice, Pages
from novalike.scheduler.filters.numa_topology import NUMATopologyFilter, PciPassthroughFilter
from novalike.scheduler.hardware import HardwareWishes
from novalike.scheduler.options import Options
from novalike.scheduler.weights.pci import PCIWeigher
from tests import factories_hosts as make

WISHES = HardwareWishes(('{"name": "nic", "vendor_id": "8086", "numa_policy": "required"}',))
PAGES = (Pages(size_kb=4, total=1 << 20), Pages(size_kb=2048, total=256))
CELLS = (
    HostCell(id=0, cpus="0-7", memory_mb=4608, shared="4-7", dedicated="0-3", siblings=("0-1", "2-3", "4-5", "6-7"), pages=PAGES),
    HostCell(id=1, cpus="8-15", memory_mb=4096, shared="12-15", dedicated="8-11", pages=PAGES[:1]),
)
NICS = tuple(HostDevice(address=f"0000:05:00.{number}", vendor_id="8086", product_id="1520", numa_node=1) for number in range(2))
NUMA, PCI = NUMATopologyFilter(Options()), PciPassthroughFilter(Options())


def wanted(vcpus=2, memory_mb=512, properties=None, **specs):
    named = {name.replace("__", ":"): value for name, value in specs.items()}
    flavor = make.flavor(vcpus=vcpus, memory_mb=memory_mb, extra_specs=named)
    return WISHES.looked_up(make.spec(flavor=flavor, image_properties=properties or {}))


def host(cells=CELLS, devices=NICS, used=(), **changes):
    return make.host_state(free=fitting.free(cells, devices, used), **changes)


@pytest.mark.parametrize(("spec", "numa", "pci", "remedy"), [
    (wanted(), None, None, None),
    (wanted(hw__numa_nodes="2"), None, None, None),
    (wanted(vcpus=3, memory_mb=300, hw__numa_nodes="3"), "fewer than 3 NUMA cells", None, None),
    (wanted(hw__cpu_policy="dedicated"), None, None, None),
    (wanted(vcpus=5, hw__cpu_policy="dedicated"), "no NUMA cell has 5 dedicated CPUs free", None, None),
    (wanted(vcpus=4, hw__cpu_policy="dedicated", hw__emulator_threads_policy="isolate"), "no NUMA cell has 5 dedicated CPUs free", None,
     "without isolated emulator threads"),
    (wanted(vcpus=4, hw__cpu_policy="dedicated", hw__cpu_thread_policy="isolate", properties={"hw_numa_nodes": "1"}), None, None, None),
    (wanted(vcpus=8, hw__cpu_policy="dedicated", hw__cpu_thread_policy="require", hw__numa_nodes="2"),
     "no arrangement of its NUMA cells fits", None, "with CPU thread policy prefer"),
    (wanted(memory_mb=1024, hw__mem_page_size="2MB"), "no NUMA cell has 1024 MiB free in pages of the wanted size (2048 KiB)", None,
     "with small memory pages"),
    (wanted(pci_passthrough__alias="nic:2"), None, None, None),
    (wanted(pci_passthrough__alias="nic:3"), None, "not enough PCI devices nic", "with 1 PCI device nic less"),
    (wanted(hw__mem_page_size="large", pci_passthrough__alias="nic:1"), "not enough PCI devices nic beside its NUMA cells", None,
     "with small memory pages"),
])
def test_filters(spec, numa, pci, remedy):
    assert (NUMA.reject(spec, host()), PCI.reject(spec, host())) == (numa, pci)
    assert not (numa or pci) or (NUMA if numa else PCI).remedy(spec, host()) == remedy


def test_shared_cpus_and_memory_are_promised_as_often_as_the_host_says():
    used = [Hardware(cells=(GuestCell(host_cell=0, cpus=tuple(range(4)), memory_mb=4096), GuestCell(host_cell=1, cpus=tuple(range(4)), memory_mb=4096)))]
    spec = wanted(hw__numa_nodes="1")
    assert NUMA.reject(spec, host(used=used, ratios=Ratios(1.0, 2.0, 1.0))) == "no NUMA cell has 2 shared CPUs free"
    assert NUMA.reject(spec, host(used=used, ratios=Ratios(2.0, 1.0, 1.0))) == "no NUMA cell has 512 MiB free"
    assert NUMA.reject(spec, host(used=used, ratios=Ratios(2.0, 2.0, 1.0))) is None


def test_dedicated_cpus_are_resources_of_their_own():
    amounts = demand(wanted(vcpus=4, hw__cpu_policy="mixed", hw__cpu_dedicated_mask="0-2", hw__emulator_threads_policy="isolate").flavor)
    assert (amounts.vcpus, dict(amounts.custom)) == (1, {"PCPU": 4})
    assert demand(wanted(hw__numa_nodes="1").flavor).vcpus == 2
    spec = wanted(hw__cpu_policy="dedicated")
    assert WISHES.looked_up(spec) is spec


def test_a_wish_which_means_nothing_finds_no_host():
    with pytest.raises(NoValidHost, match="PCI alias gpu is not defined"):
        wanted(pci_passthrough__alias="gpu:1")


def test_hosts_with_devices_are_kept_for_those_who_want_some():
    weigher = PCIWeigher(Options())
    assert weigher.weigh(wanted(), host(devices=())) > weigher.weigh(wanted(), host(devices=NICS[:1])) > weigher.weigh(wanted(), host())
