"""Which flavor extra specs mean something, and which values they take: checked from microversion 2.86 on.

Only namespaces listed here are checked; keys without a namespace, and other namespaces, belong to the operator.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from oslo_utils import strutils

from novalike.exception import Invalid

Check = Callable[[str], "str | None"]            # answers what is wrong with a value, or None


def _one_of(*values: str) -> Check:
    return lambda value: None if value in values else f"it must be one of: {', '.join(values)}"


def _whole(minimum: int = 0, maximum: int | None = None) -> Check:
    def check(value: str) -> str | None:
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            return "it must be a whole number"
        if int(value) < minimum:
            return f"it must be at least {minimum}"
        if maximum is not None and int(value) > maximum:
            return f"it must be at most {maximum}"
        return None
    return check


def _matching(pattern: str, wording: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: None if compiled.fullmatch(value) else f"it must be {wording}"


def _boolean(value: str) -> str | None:
    try:
        strutils.bool_from_string(value, strict=True)
    except ValueError:
        return "it must be a boolean"
    return None


def _anything(_value: str) -> str | None:
    return None


_CPU_LIST = _matching(r"\^?[0-9]+(-[0-9]+)?(,\^?[0-9]+(-[0-9]+)?)*", "a list of CPUs, like 0-3,^1")
_OPERATORS = "=|<in>|<all-in>|==|!=|>=|<=|<|>|s==|s!=|s<|s<=|s>|s>=|<or>"
_COMPARISON = _matching(rf"(?:(?:{_OPERATORS})\s.*|[^<>=!].*|)", "a value, or an operator and a value")

_HW: dict[str, Check] = {
    "hw:boot_menu": _boolean,
    "hw:cpu_cores": _whole(1),
    "hw:cpu_dedicated_mask": _CPU_LIST,
    "hw:cpu_max_cores": _whole(1),
    "hw:cpu_max_sockets": _whole(1),
    "hw:cpu_max_threads": _whole(1),
    "hw:cpu_policy": _one_of("dedicated", "shared", "mixed"),
    "hw:cpu_realtime": _boolean,
    "hw:cpu_realtime_mask": _CPU_LIST,
    "hw:cpu_sockets": _whole(1),
    "hw:cpu_thread_policy": _one_of("prefer", "isolate", "require"),
    "hw:cpu_threads": _whole(1),
    "hw:emulator_threads_policy": _one_of("isolate", "share"),
    "hw:ephemeral_encryption": _boolean,
    "hw:ephemeral_encryption_format": _one_of("luks"),
    "hw:hide_hypervisor_id": _boolean,
    "hw:locked_memory": _boolean,
    "hw:maxphysaddr_bits": _whole(0),
    "hw:maxphysaddr_mode": _one_of("passthrough", "emulate"),
    "hw:mem_encryption": _boolean,
    "hw:mem_encryption_model": _one_of("amd-sev", "amd-sev-es", "amd-sev-snp"),
    "hw:mem_page_size": _matching(r"large|small|any|[0-9]+([kKMGT]i?)?(b|bit|B)?", "large, small, any or a size, like 2MB"),
    "hw:numa_nodes": _whole(1),
    "hw:pci_numa_affinity_policy": _one_of("required", "preferred", "legacy", "socket"),
    "hw:pmem": _anything,
    "hw:pmu": _boolean,
    "hw:redirected_usb_ports": _whole(0, 15),
    "hw:serial_port_count": _whole(0),
    "hw:sound_model": _one_of("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "virtio"),
    "hw:tpm_model": _one_of("tpm-tis", "tpm-crb"),
    "hw:tpm_secret_security": _one_of("user", "host", "deployment"),
    "hw:tpm_version": _one_of("1.2", "2.0"),
    "hw:usb_model": _one_of("qemu-xhci", "nec-xhci"),
    "hw:vif_multiqueue_enabled": _boolean,
    "hw:viommu_model": _one_of("intel", "smmuv3", "virtio", "auto"),
    "hw:virtio_packed_ring": _boolean,
    "hw:watchdog_action": _one_of("none", "pause", "poweroff", "reset", "disabled"),
}
_QUOTA: dict[str, Check] = {
    "quota:cpu_period": _whole(0),
    "quota:cpu_quota": _whole(-1),
    "quota:cpu_shares": _whole(0),
    **{f"quota:disk_{way}_{what}_sec": _whole(0) for way in ("read", "write", "total") for what in ("bytes", "iops")},
    **{f"quota:vif_{way}bound_{what}": _whole(0) for way in ("in", "out") for what in ("average", "peak", "burst")},
    # VMware's.
    **{f"quota:{what}_{part}": _whole(0) for what in ("cpu", "memory", "disk_io", "vif") for part in ("limit", "reservation")},
    **{f"quota:{what}_shares_level": _one_of("custom", "high", "normal", "low") for what in ("cpu", "memory", "disk_io", "vif")},
    **{f"quota:{what}_shares_share": _whole(0) for what in ("cpu", "memory", "disk_io", "vif")},
}
_KNOWN: dict[str, Check] = {
    **_HW,
    **_QUOTA,
    "hw_rng:allowed": _boolean,
    "hw_rng:rate_bytes": _whole(0),
    "hw_rng:rate_period": _whole(0),
    "hw_video:ram_max_mb": _whole(0),
    "os:secure_boot": _one_of("disabled", "required"),
    "pci_passthrough:alias": _matching(r"[^:,]+:[0-9]+(,[^:,]+:[0-9]+)*", "aliases with counts, like gpu:1,nic:2"),
    "accel:device_profile": _anything,
    "vmware:hw_version": _anything,
    "vmware:storage_policy": _anything,
    "group_policy": _one_of("none", "isolate"),
}
#: Keys with a free part, in the order in which they are tried.
_PATTERNS: tuple[tuple[re.Pattern[str], Check], ...] = (
    (re.compile(r"hw:numa_cpus\.[0-9]+"), _CPU_LIST),
    (re.compile(r"hw:numa_mem\.[0-9]+"), _whole(1)),
    (re.compile(r"resources([a-zA-Z0-9_-]{1,64})?:(CUSTOM_)?[A-Z0-9_]+"), _whole(0)),
    (re.compile(r"trait([a-zA-Z0-9_-]{1,64})?:[A-Z0-9_]+"), _one_of("required", "forbidden")),
    (re.compile(r"capabilities:.+"), _COMPARISON),
    (re.compile(r"aggregate_instance_extra_specs:.+"), _COMPARISON),
)
_NAMESPACES = frozenset({
    "accel", "aggregate_instance_extra_specs", "capabilities", "hw", "hw_rng", "hw_video", "os", "pci_passthrough", "quota", "vmware",
})


def check(key: str, value: str) -> None:
    """Check one extra spec. Raises Invalid, naming the key, for an unknown key of a known namespace or a wrong value."""
    found = _KNOWN.get(key) or next((test for pattern, test in _PATTERNS if pattern.fullmatch(key)), None)
    if found is None:
        namespace, colon, _ = key.partition(":")
        if colon and (namespace in _NAMESPACES or re.fullmatch(r"(resources|trait)([a-zA-Z0-9_-]{1,64})?", namespace)):
            raise Invalid(f"Validation failed; extra spec '{key}' does not appear to be a valid extra spec.")
        return
    wrong = found(value)
    if wrong is not None:
        raise Invalid(f"Validation failed; invalid value '{value[:255]}' for extra spec '{key}': {wrong}.")
