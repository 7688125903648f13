"""Hosts, flavors and request specs with sane values; a test names only what it is about."""

from __future__ import annotations

import uuid
from dataclasses import fields

from novalike.hardware.capacity import Amounts, Ratios, capacity
from novalike.objects.flavor import Flavor
from novalike.objects.host import CustomResource, Inventory
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState


def inventory(host: str = "host1", **changes) -> Inventory:
    values = {
        "host": host, "node": f"{host}.example.org", "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, host)),
        "hypervisor_type": "QEMU", "hypervisor_version": 7002000, "host_ip": "127.0.0.1", "vcpus": 8, "memory_mb": 16384,
        "local_gb": 100, "cpu_allocation_ratio": 1.0, "ram_allocation_ratio": 1.0, "disk_allocation_ratio": 1.0,
        "supported": (("x86_64", "qemu", "hvm"), ("x86_64", "kvm", "hvm")),
        "cpu_info": {"arch": "x86_64", "vendor": "AMD", "features": ["aes", "sse4.2"]},
    }
    return Inventory(**{**values, **changes})


def custom_resource(**changes) -> CustomResource:
    return CustomResource(**{"total": 4, **changes})


def flavor(**changes) -> Flavor:
    values = {"flavorid": "1", "name": "m1.small", "vcpus": 1, "memory_mb": 512, "root_gb": 1}
    return Flavor(**{**values, **changes})


def spec(instance_uuid: str | None = None, **changes) -> RequestSpec:
    values = {
        "instance_uuid": instance_uuid or str(uuid.uuid4()), "project_id": "p1", "user_id": "u1",
        "flavor": changes.pop("flavor", None) or flavor(),
    }
    return RequestSpec(**{**values, **changes})


def host_state(host: str = "host1", **changes) -> HostState:
    """A host as the scheduler knows it; `used` as (vcpus, memory_mb, disk_gb), other unknown names go to its inventory."""
    own = {field.name for field in fields(HostState)}
    mine = {name: changes.pop(name) for name in list(changes) if name in own}
    if "used" in mine:
        mine["used"] = Amounts(*mine["used"])
    has = inventory(host, **changes)
    values = {
        "node_id": abs(hash(host)) % 10**6, "uuid": has.uuid, "host": has.host, "node": has.node, "inventory": has,
        "capacity": capacity(has, Ratios()), "availability_zone": "nova",
    }
    return HostState(**{**values, **mine})
