"""Each filter: what it rejects, and why in the user's words."""

import pytest

from novalike.scheduler.filters import extra_specs
from novalike.scheduler.filters.availability_zone import AvailabilityZoneFilter
from novalike.scheduler.filters.compute import ComputeFilter
from novalike.scheduler.filters.compute_capabilities import ComputeCapabilitiesFilter
from novalike.scheduler.filters.core import CoreFilter
from novalike.scheduler.filters.disk import DiskFilter
from novalike.scheduler.filters.image_properties import ImagePropertiesFilter
from novalike.scheduler.filters.ram import RamFilter
from novalike.scheduler.options import Options
from tests import factories_hosts as make

OPTIONS = Options()


@pytest.mark.parametrize(("host", "reason"), [
    ({}, None), ({"up": False}, "down"), ({"disabled": True}, "disabled"), ({"disabled": True, "up": False}, "disabled"),
])
def test_compute(host, reason):
    assert ComputeFilter(OPTIONS).reject(make.spec(), make.host_state(**host)) == reason


@pytest.mark.parametrize(("wanted", "reason"), [(None, None), ("nova", None), ("az2", "not in zone az2")])
def test_availability_zone(wanted, reason):
    assert AvailabilityZoneFilter(OPTIONS).reject(make.spec(availability_zone=wanted), make.host_state()) == reason


@pytest.mark.parametrize(("filter_class", "flavor", "host", "missing"), [
    (RamFilter, {"memory_mb": 1024}, {"memory_mb": 2048, "used": (0, 1024, 0)}, 0),
    (RamFilter, {"memory_mb": 1025}, {"memory_mb": 2048, "used": (0, 1024, 0)}, 1),
    (RamFilter, {"memory_mb": 1024}, {"memory_mb": 2048, "used": (0, 1024, 0), "reserved_memory_mb": 512}, 512),
    (RamFilter, {"memory_mb": 1024}, {"memory_mb": 1000, "ram_allocation_ratio": 4.0}, 24),   # not against itself
    (CoreFilter, {"vcpus": 2}, {"vcpus": 4, "used": (15, 0, 0), "cpu_allocation_ratio": 4.0}, 1),
    (CoreFilter, {"vcpus": 5}, {"vcpus": 4, "cpu_allocation_ratio": 4.0}, 1),
    (CoreFilter, {"vcpus": 1}, {"vcpus": 4, "cpu_allocation_ratio": None, "used": (15, 0, 0)}, 0),
    (DiskFilter, {"root_gb": 5, "ephemeral_gb": 4, "swap_mb": 1}, {"local_gb": 9}, 1),
    (DiskFilter, {"root_gb": 0}, {"local_gb": 0}, 0),
    (DiskFilter, {"root_gb": 1}, {"local_gb": 9, "used": (0, 0, 20)}, 1),
])
def test_amounts(filter_class, flavor, host, missing):
    spec, state = make.spec(flavor=make.flavor(**flavor)), make.host_state(**host)
    one = filter_class(OPTIONS)
    shortage = one.shortage(spec, state)
    assert (shortage.missing if shortage else 0) == missing
    assert (one.reject(spec, state) is None) == (missing == 0)


def test_a_root_volume_needs_no_disk():
    spec = make.spec(flavor=make.flavor(root_gb=50), root_volume=True)
    assert DiskFilter(OPTIONS).reject(spec, make.host_state(local_gb=1)) is None


@pytest.mark.parametrize(("properties", "fits"), [
    ({}, True),
    ({"hw_architecture": "x86_64"}, True),
    ({"hw_architecture": "AMD64"}, True),
    ({"architecture": "aarch64"}, False),
    ({"img_hv_type": "kvm", "hw_vm_mode": "hvm"}, True),
    ({"img_hv_type": "QEMU"}, True),
    ({"hypervisor_type": "xen"}, False),
    ({"hw_vm_mode": "hv"}, True),
    ({"vm_mode": "exe"}, False),
    ({"img_hv_requested_version": ">=7.0,<8.0"}, True),
    ({"img_hv_requested_version": ">=7.2.1"}, False),
    ({"hypervisor_version_requires": "==7.2"}, True),
    ({"hypervisor_version_requires": "nonsense"}, False),
    ({"os_distro": "debian"}, True),
])
def test_image_properties(properties, fits):
    reason = ImagePropertiesFilter(OPTIONS).reject(make.spec(image_properties=properties), make.host_state())
    assert (reason is None) == fits, reason


def test_a_default_architecture_goes_for_images_which_name_none():
    one = ImagePropertiesFilter(Options(image_properties_default_architecture="aarch64"))
    assert one.reject(make.spec(), make.host_state()) == "the image needs aarch64"
    assert one.reject(make.spec(image_properties={"hw_architecture": "x86_64"}), make.host_state()) is None


@pytest.mark.parametrize(("specs", "fits"), [
    ({}, True),
    ({"capabilities:cpu_info:arch": "x86_64"}, True),
    ({"capabilities:cpu_info:features": "<in> aes"}, True),
    ({"capabilities:cpu_info:features": "<all-in> aes sse4.2"}, True),
    ({"capabilities:cpu_info:features": "<all-in> aes avx"}, False),
    ({"capabilities:cpu_info:vendor": "<or> Intel <or> AMD"}, True),
    ({"capabilities:vcpus_total": ">= 8"}, True),
    ({"capabilities:vcpus_total": ">= 9"}, False),
    ({"capabilities:hypervisor_type": "s== QEMU"}, True),
    ({"capabilities:hypervisor_type": "s!= QEMU"}, False),
    ({"capabilities:rack": "7"}, True),
    ({"rack": "8"}, False),                       # a key without scope is a capability, too
    ({"capabilities:nothing": "1"}, False),
    ({"capabilities:cpu_info:arch:deeper": "1"}, False),
    ({"capabilities:__class__": "<in> o"}, False),
    ({"hw:cpu_policy": "dedicated", "quota:cpu_shares": "1"}, True),
    ({"hide_hypervisor_id": "true"}, True),
])
def test_compute_capabilities(specs, fits):
    host = make.host_state(capabilities={"rack": "7"})
    reason = ComputeCapabilitiesFilter(OPTIONS).reject(make.spec(flavor=make.flavor(extra_specs=specs)), host)
    assert (reason is None) == fits, reason


@pytest.mark.parametrize(("value", "requirement", "matches"), [
    ("1", "1", True), ("1", "", False), ("", "", True), ("2", "= 1", True), ("1", "= 2", False), ("1.0", "== 1", True),
    ("1", "!= 1", False), ("2", "<= 2", True), ("a", ">= 1", False), ("ab", "s< b", True), ("b", "s>= b", True),
    ("12311321", "<in> 11", True), ("12311321", "<in> 12 11", False), ("12", "<or> 11 <or> 12", True), ("13", "<or> 11 <or> 12", False),
    (["aes", "mmx"], "<all-in> aes mmx", True), (["aes"], "<in>", False), (12, "12", True), (True, "True", True),
])
def test_operators(value, requirement, matches):
    assert extra_specs.match(value, requirement) is matches
