"""What flavors and images may want of the hardware: a table of cases, the refusals in Nova's words."""

import pytest

from novalike.exception import Invalid
from novalike.hardware import cpus, pages, pci
from novalike.hardware.numa import wish
from novalike.objects.hardware import CellWish, DeviceMatch, DeviceWish, HostDevice
from tests import factories_hosts as make

ALIASES = pci.aliases((
    '{"name": "nic", "vendor_id": "8086", "product_id": "1520", "device_type": "type-VF", "numa_policy": "required"}',
    '{"name": "gpu", "vendor_id": "10de"}', '{"name": "gpu", "vendor_id": "1002"}',
))


def wanted(specs, image=None, vcpus=4, memory_mb=1024):
    return wish(make.flavor(vcpus=vcpus, memory_mb=memory_mb, extra_specs=specs), image or {}, ALIASES)


def cells(*parts, dedicated=()):
    return tuple(
        CellWish(cpus=tuple(own), memory_mb=memory, dedicated=tuple(cpu for cpu in own if cpu in dedicated)) for own, memory in parts
    )


@pytest.mark.parametrize(("specs", "image"), [
    ({}, {}), ({"hw:cpu_policy": "shared"}, {}), ({"hw:watchdog_action": "reset"}, {"hw_disk_bus": "scsi"}),
    ({"hw:cpu_realtime": "no"}, {}), ({"hw:emulator_threads_policy": "share"}, {}), ({"resources:CUSTOM_X": "1"}, {}),
])
def test_most_servers_want_nothing(specs, image):
    assert wanted(specs, image) is None


@pytest.mark.parametrize(("specs", "image", "expected"), [
    ({"hw:numa_nodes": "2"}, {}, cells((range(2), 512), (range(2, 4), 512))),
    ({}, {"hw_numa_nodes": "1"}, cells((range(4), 1024))),
    ({"hw:numa_nodes": "2", "hw:numa_cpus.0": "0,2-3", "hw:numa_cpus.1": "1", "hw:numa_mem.0": "1000", "hw:numa_mem.1": "24"}, {},
     cells(((0, 2, 3), 1000), ((1,), 24))),
    ({"hw:cpu_policy": "dedicated"}, {}, cells((range(4), 1024), dedicated=range(4))),
    ({}, {"hw_cpu_policy": "dedicated"}, cells((range(4), 1024), dedicated=range(4))),
    ({"hw:cpu_policy": "dedicated"}, {"hw_cpu_policy": "shared"}, cells((range(4), 1024), dedicated=range(4))),
    ({"resources:PCPU": "4"}, {}, cells((range(4), 1024), dedicated=range(4))),
    ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-1"}, {}, cells((range(4), 1024), dedicated=(0, 1))),
    ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0", "hw:numa_nodes": "2"}, {},
     cells((range(2), 512), (range(2, 4), 512), dedicated=(1, 2, 3))),
    ({"hw:mem_page_size": "large"}, {}, cells((range(4), 1024))),
])
def test_cells(specs, image, expected):
    assert wanted(specs, image).cells == expected


def test_dedicated_cpus_are_counted_with_the_emulators_own():
    found = wanted({"hw:cpu_policy": "dedicated", "hw:emulator_threads_policy": "isolate", "hw:cpu_thread_policy": "require"})
    assert (found.pcpus, found.emulator, found.thread_policy) == (5, "isolate", "require")
    assert wanted({"hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "prefer"}, {"hw_cpu_thread_policy": "isolate"}).thread_policy == "isolate"


def test_devices_by_alias():
    found = wanted({"pci_passthrough:alias": "gpu:1, nic:2", "hw:numa_nodes": "1"}).devices
    assert found == (
        DeviceWish(alias="gpu", count=1, matches=(DeviceMatch(vendor_id="10de"), DeviceMatch(vendor_id="1002"))),
        DeviceWish(alias="nic", count=2, matches=(DeviceMatch(vendor_id="8086", product_id="1520", type="type-VF"),), affinity="required"),
    )
    assert wanted({"pci_passthrough:alias": "nic:1"}, {"hw_pci_numa_affinity_policy": "preferred"}).devices[0].affinity == "preferred"


@pytest.mark.parametrize(("flavor", "image", "size"), [
    (None, None, None), ("small", None, "small"), ("2048", None, 2048), ("2MB", None, 2048), ("1GiB", None, 1 << 20), ("4KB", None, 4),
    ("large", "2MB", 2048), ("any", "large", "large"),
])
def test_page_sizes(flavor, image, size):
    assert pages.wanted(flavor, image) == size


@pytest.mark.parametrize(("size", "memory_mb", "chosen"), [
    ("small", 100, 4), ("large", 64, 2048), ("large", 2048, 1 << 20), ("large", 1000, 2048), ("any", 1025, 4), (2048, 512, 2048),
    (2048, 4096, None), (2048, 511, None), (16, 4, None), ("large", 3072, None),
])
def test_pages_are_chosen_large_first_and_must_hold_all(size, memory_mb, chosen):
    assert pages.choose(size, memory_mb, {4: 1 << 19, 2048: 512, 1 << 20: 2}) == chosen


PINNING = "Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy set against the flavor"
INCOMPLETE = "CPU and memory allocation must be provided for all NUMA nodes"


@pytest.mark.parametrize(("specs", "image", "text"), [
    ({"hw:cpu_policy": "shared"}, {"hw_cpu_policy": "dedicated"}, PINNING),
    ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0"}, {"hw_cpu_policy": "dedicated"}, PINNING),
    ({"hw:cpu_policy": "mine"}, {}, "CPU policy requested from 'flavor extra specs' invalid"),
    ({"hw:cpu_policy": "mixed"}, {}, "Dedicated CPU set can be specified from"),
    ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-3"}, {}, "at least 1 pinned vCPU and 1 unpinned vCPU"),
    ({"hw:cpu_dedicated_mask": "0"}, {}, "without the 'mixed' policy"),
    ({"hw:cpu_thread_policy": "require"}, {}, "Cannot set cpu thread pinning policy in a non dedicated cpu pinning policy"),
    ({"hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "require"}, {"hw_cpu_thread_policy": "isolate"}, "CPU thread pinning policy set against"),
    ({"hw:emulator_threads_policy": "isolate"}, {}, "An isolated CPU emulator threads option requires a dedicated CPU policy option."),
    ({"hw:numa_nodes": "3"}, {}, "cannot be evenly distributed"),
    ({"hw:numa_nodes": "0"}, {}, "The property 'numa_nodes' cannot be '0'. It must be a number greater than 0"),
    ({"hw:numa_nodes": "2"}, {"hw_numa_nodes": "2"}, "'hw_numa_nodes' is not permitted to override NUMA configuration"),
    ({"hw:numa_nodes": "2", "hw:numa_cpus.0": "0-3"}, {}, INCOMPLETE),
    ({"hw:numa_cpus.0": "0-3", "hw:numa_mem.0": "1024"}, {}, INCOMPLETE),
    ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-3"}, {"hw_numa_cpus.0": "0-3"}, "'hw_numa_cpus' is not permitted"),
    ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-4", "hw:numa_mem.0": "1024"}, {}, "CPU number 4 is larger than max 3"),
    ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-1", "hw:numa_mem.0": "1024"}, {}, "CPU number 2-3 is not assigned to any node"),
    ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-3", "hw:numa_mem.0": "1000"}, {}, "1000 MB of memory assigned, but expected 1024 MB"),
    ({"hw:numa_nodes": "2", "hw:numa_cpus.0": "0-3", "hw:numa_cpus.1": "3", "hw:numa_mem.0": "1", "hw:numa_mem.1": "1"}, {},
     "CPU number 3 is assigned to two nodes"),
    ({}, {"hw_mem_page_size": "large"}, "Page size large forbidden against '<empty>'"),
    ({"hw:mem_page_size": "small"}, {"hw_mem_page_size": "2MB"}, "Page size 2MB forbidden against 'small'"),
    ({"hw:mem_page_size": "huge"}, {}, "Invalid memory page size 'huge'"),
    ({"resources:PCPU": "2"}, {}, "must be the flavor's 4 vCPUs"),
    ({"resources:PCPU": "4", "hw:cpu_policy": "dedicated"}, {}, "It is not allowed to use"),
    ({"pci_passthrough:alias": "fpga:1"}, {}, "PCI alias fpga is not defined"),
    ({"pci_passthrough:alias": "gpu"}, {}, "is not of the form name:count"),
    ({"pci_passthrough:alias": "gpu:1", "hw:pci_numa_affinity_policy": "near"}, {}, "Invalid PCI NUMA affinity configured: near"),
    ({"hw:pci_numa_affinity_policy": "legacy"}, {"hw_pci_numa_affinity_policy": "required"}, "is not permitted to override the"),
    ({"hw:cpu_realtime": "yes"}, {}, "hw:cpu_realtime is not supported by this cloud."),
    ({}, {"hw_mem_encryption": "true"}, "hw_mem_encryption is not supported by this cloud."),
])
def test_what_cannot_be_is_refused_in_novas_words(specs, image, text):
    with pytest.raises(Invalid) as caught:
        wanted(specs, image)
    assert text in str(caught.value)


@pytest.mark.parametrize(("text", "expected"), [("0-3,^2,8", {0, 1, 3, 8}), ("", set()), (" 1 , 3 - 4", {1, 3, 4}), ("0-2,^0-2", set())])
def test_lists_of_cpus(text, expected):
    assert cpus.parse(text) == expected
    assert cpus.parse(cpus.text(expected)) == expected


@pytest.mark.parametrize("text", ["a", "3-1", "1-", "-1", "0-99999999"])
def test_what_is_no_list_of_cpus(text):
    with pytest.raises(Invalid):
        cpus.parse(text)


DEVICES = tuple(
    HostDevice(address=address, vendor_id=vendor, product_id="1520", parent=parent)
    for address, vendor, parent in (
        ("0000:81:00.0", "8086", None), ("0000:81:10.1", "8086", "0000:81:00.0"), ("0001:05:00.0", "10de", None), ("0000:06:00.3", "10de", None),
    )
)


@pytest.mark.parametrize(("spec", "addresses"), [
    ('{"vendor_id": "10de"}', ["0000:06:00.3", "0001:05:00.0"]),
    ('{"vendor_id": "*", "address": "0000:81:00.0"}', ["0000:81:00.0", "0000:81:10.1"]),
    ('{"address": "*:06:*.*"}', ["0000:06:00.3"]), ('{"address": ":06:"}', ["0000:06:00.3"]),
    ('[{"address": "0001:*:*.*"}, {"address": {"bus": "0[67]", "function": "[0-3]"}}]', ["0000:06:00.3", "0001:05:00.0"]),
])
def test_which_devices_a_host_offers(spec, addresses):
    assert [device.address for device in pci.offered(DEVICES, pci.device_specs((spec,)))] == addresses


@pytest.mark.parametrize("entry", [
    "nic", "[1]", '{"vendor_id": "8"}', '{"devname": "eth0"}', '{"managed": "no"}', '{"address": {"bus": "("}}', '{"address": "0:0:0:0:0"}',
])
def test_device_specs_which_mean_nothing_stop_the_daemon(entry):
    with pytest.raises(Invalid):
        pci.device_specs((entry,))


@pytest.mark.parametrize("entry", [
    '{"vendor_id": "8086"}', '{"name": "a", "device_type": "vdpa"}', '{"name": "a", "numa_policy": "near"}', '{"name": "a", "traits": "x"}',
    '{"name": "nic", "device_type": "type-PF"}',
])
def test_aliases_which_mean_nothing_stop_the_daemon(entry):
    with pytest.raises(Invalid):
        pci.aliases(('{"name": "nic", "device_type": "type-VF"}', entry))
