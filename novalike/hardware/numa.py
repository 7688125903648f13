"""What a flavor and an image want of the hardware: NUMA cells, dedicated CPUs, pages, devices. Pure; rules and words are Nova's.

An image may say what its flavor leaves open, and repeat what it says; it may not want more.
"""

from __future__ import annotations

from collections.abc import Mapping

from novalike.exception import Invalid
from novalike.hardware import cpus, pages, pci, wishes
from novalike.objects.flavor import Flavor
from novalike.objects.hardware import ISOLATE, PREFER, REQUIRE, SHARE, CellWish, HardwareWish

SHARED, DEDICATED, MIXED = "shared", "dedicated", "mixed"
#: The class of resources which dedicated CPUs are.
PCPU = "PCPU"
#: What would change how a guest uses CPUs and memory, and is not built: refused, never ignored.
NOT_BUILT = (
    "hw:cpu_realtime", "hw:cpu_realtime_mask", "hw:locked_memory", "hw:mem_encryption", "hw:pmem",
    "hw_cpu_realtime_mask", "hw_locked_memory", "hw_mem_encryption",
)
_NOTHING = frozenset({"", "0", "false", "no", "off"})
_KEYS = ("hw:", "hw_", "pci_passthrough:", "resources")


def wish(flavor: Flavor, properties: Mapping[str, str], aliases: pci.Aliases | None = None, *, pack: bool = False) -> HardwareWish | None:
    """Answer what a server wants, or None for one which takes any CPUs and memory.

    Raises Invalid with Nova's words when flavor or image are wrong, or do not go together.
    """
    specs = flavor.extra_specs
    if not any(key.startswith(_KEYS) for key in specs) and not any(key.startswith("hw_") for key in properties):
        return None
    _refuse_not_built(specs, properties)
    policy = _cpu_policy(flavor, properties)
    dedicated = _dedicated(flavor, policy)
    threads = _thread_policy(specs, properties, policy)
    emulator = _emulator(specs, policy)
    size = pages.wanted(specs.get("hw:mem_page_size"), properties.get("hw_mem_page_size"))
    cells = _cells(flavor, properties, dedicated)
    if not cells and (dedicated or size is not None):
        cells = (CellWish(cpus=tuple(range(flavor.vcpus)), memory_mb=flavor.memory_mb, dedicated=tuple(sorted(dedicated))),)
    devices = pci.wanted(specs, properties, aliases or {})
    if not cells and not devices:
        return None
    return HardwareWish(cells=cells, thread_policy=threads, emulator=emulator, page_size=size, devices=devices, pack=pack)


def _refuse_not_built(specs: Mapping[str, str], properties: Mapping[str, str]) -> None:
    for key in NOT_BUILT:
        value = specs.get(key, properties.get(key, ""))
        if value.strip().lower() not in _NOTHING:
            raise Invalid(f"{key} is not supported by this cloud.")


def _cpu_policy(flavor: Flavor, properties: Mapping[str, str]) -> str | None:
    specs = flavor.extra_specs
    of_flavor, of_image = specs.get("hw:cpu_policy"), properties.get("hw_cpu_policy")
    for source, policy in (("flavor extra specs", of_flavor), ("image properties", of_image)):
        if policy is not None and policy not in (SHARED, DEDICATED, MIXED):
            raise Invalid(f"CPU policy requested from '{source}' invalid, '{policy[:80]}', must be one of dedicated, mixed, shared")
    allowed = {None: (None, SHARED, DEDICATED, MIXED), DEDICATED: (None, SHARED, DEDICATED, MIXED), MIXED: (None, SHARED, MIXED), SHARED: (None, SHARED)}
    if of_image not in allowed[of_flavor]:
        raise Invalid("Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy set against the flavor")
    wanted = wishes.resources(specs)
    if wanted.get(PCPU) or wanted.get("VCPU"):
        if of_flavor or of_image:
            raise Invalid(
                "It is not allowed to use the 'resources:VCPU' or 'resources:PCPU' extra specs with 'hw:cpu_policy' or 'hw_cpu_policy'.",
            )
        if wanted.get(PCPU) and wanted.get("VCPU"):
            raise Invalid("It is not allowed to specify both 'resources:VCPU' and 'resources:PCPU' in flavor extra specs.")
        if wanted.get(PCPU):
            if wanted[PCPU] != flavor.vcpus:
                raise Invalid(f"'resources:PCPU' must be the flavor's {flavor.vcpus} vCPUs.")
            return DEDICATED
    return of_flavor or of_image


def _dedicated(flavor: Flavor, policy: str | None) -> frozenset[int]:
    """Answer the vCPUs which want a host CPU for themselves."""
    mask = flavor.extra_specs.get("hw:cpu_dedicated_mask")
    if policy != MIXED:
        if mask:
            raise Invalid("Cannot specify 'hw:cpu_dedicated_mask' without the 'mixed' policy.")
        return frozenset(range(flavor.vcpus)) if policy == DEDICATED else frozenset()
    if not mask:
        raise Invalid(
            "Dedicated CPU set can be specified from either 'hw:cpu_dedicated_mask' or 'hw:cpu_realtime_mask' when using 'mixed' CPU "
            "policy. 'hw:cpu_dedicated_mask' and 'hw:cpu_realtime_mask' can not be specified at the same time, or be specified with "
            "none of them.",
        )
    everyone = frozenset(range(flavor.vcpus))
    # A mask which begins with an exclusion excludes from all vCPUs.
    chosen = cpus.parse(f"0-{flavor.vcpus - 1},{mask}" if mask.startswith("^") else mask) & everyone
    if not chosen or chosen == everyone:
        raise Invalid("Mixed instance must have at least 1 pinned vCPU and 1 unpinned vCPU. See 'hw:cpu_dedicated_mask'.")
    return chosen


def _thread_policy(specs: Mapping[str, str], properties: Mapping[str, str], policy: str | None) -> str | None:
    of_flavor, of_image = specs.get("hw:cpu_thread_policy"), properties.get("hw_cpu_thread_policy")
    for source, wanted in (("flavor extra specs", of_flavor), ("image properties", of_image)):
        if wanted is not None and wanted not in (PREFER, ISOLATE, REQUIRE):
            raise Invalid(f"CPU thread policy requested from '{source}' invalid, '{wanted[:80]}', must be one of isolate, prefer, require")
    if of_flavor in (ISOLATE, REQUIRE) and of_image is not None and of_image != of_flavor:
        raise Invalid("Image property 'hw_cpu_thread_policy' is not permitted to override CPU thread pinning policy set against the flavor")
    wanted = (of_image if of_flavor in (None, PREFER) else None) or of_flavor
    if wanted is not None and policy not in (DEDICATED, MIXED):
        raise Invalid("Cannot set cpu thread pinning policy in a non dedicated cpu pinning policy")
    return wanted


def _emulator(specs: Mapping[str, str], policy: str | None) -> str | None:
    wanted = specs.get("hw:emulator_threads_policy")
    if wanted is None:
        return None
    if wanted not in (ISOLATE, SHARE):
        raise Invalid(f"CPU emulator threads option requested is invalid, given: '{wanted[:80]}', available: 'share, isolate'.")
    if wanted == ISOLATE and policy not in (DEDICATED, MIXED):
        raise Invalid("An isolated CPU emulator threads option requires a dedicated CPU policy option.")
    return wanted


def _cells(flavor: Flavor, properties: Mapping[str, str], dedicated: frozenset[int]) -> tuple[CellWish, ...]:
    """Answer the cells which are asked for by number; none when nobody does."""
    specs = flavor.extra_specs
    of_flavor, of_image = specs.get("hw:numa_nodes"), properties.get("hw_numa_nodes")
    if of_flavor and of_image:
        raise Invalid("Image property 'hw_numa_nodes' is not permitted to override NUMA configuration set against the flavor")
    named = of_flavor or of_image
    by_node = {
        part: _by_node(part, specs, properties) for part in ("cpus", "mem")
    }
    if named is None:
        if by_node["cpus"] or by_node["mem"]:
            raise Invalid("CPU and memory allocation must be provided for all NUMA nodes")
        return ()
    if not named.isascii() or not named.isdigit() or not 0 < int(named) < 10**6:
        raise Invalid(f"The property 'numa_nodes' cannot be '{named[:80]}'. It must be a number greater than 0")
    nodes = int(named)
    if not by_node["cpus"] and not by_node["mem"]:
        return _even(flavor, nodes, dedicated)
    if by_node["cpus"].keys() != by_node["mem"].keys() or by_node["cpus"].keys() != set(range(nodes)):
        raise Invalid("CPU and memory allocation must be provided for all NUMA nodes")
    return _explicit(flavor, by_node["cpus"], by_node["mem"], dedicated)


def _by_node(part: str, specs: Mapping[str, str], properties: Mapping[str, str]) -> dict[int, str]:
    found = []
    for values, prefix in ((specs, f"hw:numa_{part}."), (properties, f"hw_numa_{part}.")):
        found.append({
            int(key.removeprefix(prefix)): value for key, value in values.items()
            if key.startswith(prefix) and key.removeprefix(prefix).isdecimal()
        })
    if found[0] and found[1]:
        raise Invalid(f"Image property 'hw_numa_{part}' is not permitted to override NUMA configuration set against the flavor")
    return found[0] or found[1]


def _even(flavor: Flavor, nodes: int, dedicated: frozenset[int]) -> tuple[CellWish, ...]:
    if flavor.vcpus % nodes or flavor.memory_mb % nodes:
        raise Invalid(
            "Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. Explicit assignment of CPUs and "
            "memory to nodes is required",
        )
    each = flavor.vcpus // nodes
    return tuple(
        _cell(range(node * each, (node + 1) * each), flavor.memory_mb // nodes, dedicated) for node in range(nodes)
    )


def _cell(own: range | frozenset[int], memory_mb: int, dedicated: frozenset[int]) -> CellWish:
    return CellWish(cpus=tuple(sorted(own)), memory_mb=memory_mb, dedicated=tuple(sorted(dedicated.intersection(own))))


def _explicit(
    flavor: Flavor, cpu_lists: Mapping[int, str], memories: Mapping[int, str], dedicated: frozenset[int],
) -> tuple[CellWish, ...]:
    left, cells, total = set(range(flavor.vcpus)), [], 0
    for node in sorted(cpu_lists):
        own = cpus.parse(cpu_lists[node])
        if not own:
            raise Invalid("CPU and memory allocation must be provided for all NUMA nodes")
        for cpu in sorted(own):
            if cpu >= flavor.vcpus:
                raise Invalid(f"CPU number {cpu} is larger than max {flavor.vcpus - 1}")
            if cpu not in left:
                raise Invalid(f"CPU number {cpu} is assigned to two nodes")
            left.remove(cpu)
        memory = memories[node]
        if not memory.isascii() or not memory.isdigit() or len(memory) > 9 or int(memory) == 0:
            raise Invalid(f"hw:numa_mem.{node} must be a number of MiB greater than 0")
        total += int(memory)
        cells.append(_cell(own, int(memory), dedicated))
    if left:
        raise Invalid(f"CPU number {cpus.text(left)} is not assigned to any node")
    if total != flavor.memory_mb:
        raise Invalid(f"{total} MB of memory assigned, but expected {flavor.memory_mb} MB")
    return tuple(cells)
