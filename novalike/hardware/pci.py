"""PCI devices: which of a host's are offered ([pci]device_spec), what names mean ([pci]alias), and who gets which.

Devices which are alike are counted, and the lowest addresses of a kind are given out: no order of them is ever tried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from novalike.exception import Invalid
from novalike.objects.hardware import (
    DEVICE,
    LEGACY,
    PHYSICAL,
    PREFERRED,
    REQUIRED,
    SOCKET,
    VIRTUAL,
    DeviceMatch,
    DeviceWish,
    GuestDevice,
    HostDevice,
)

POLICIES = (REQUIRED, PREFERRED, LEGACY, SOCKET)
_TYPES = (DEVICE, PHYSICAL, VIRTUAL)
_ID = re.compile(r"[0-9a-fA-F]{4}")
_ADDRESS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
_PARTS = ("domain", "bus", "slot", "function")
_ALIAS_KEYS = {"name", "vendor_id", "product_id", "capability_type", "device_type", "numa_policy"}
_SPEC_KEYS = {"vendor_id", "product_id", "address", "physical_network"}


@dataclass(frozen=True, slots=True)
class Alias:
    """What a name means: one of several kinds of device, and a policy of its own."""

    matches: tuple[DeviceMatch, ...]
    affinity: str | None = None


Aliases = Mapping[str, Alias]


# ---- what operators configure


def aliases(entries: Iterable[str]) -> dict[str, Alias]:
    """Read [pci]alias: JSON objects; entries of one name are alternatives. Raises Invalid."""
    found: dict[str, Alias] = {}
    for entry in entries:
        values = _object(entry, "PCI alias")
        _only(values, _ALIAS_KEYS, "PCI alias")
        name = values.get("name")
        if not isinstance(name, str) or not 1 <= len(name) <= 256 or ":" in name or "," in name:
            raise Invalid(f"Invalid PCI alias definition: {entry[:200]} needs a name without ':' and ','")
        if values.get("capability_type", "pci") != "pci":
            raise Invalid(f"Invalid PCI alias definition: capability_type of {name} must be pci")
        kind, policy = values.get("device_type", DEVICE), values.get("numa_policy")
        if kind not in _TYPES:
            raise Invalid(f"Invalid PCI alias definition: device_type of {name} must be one of {', '.join(_TYPES)}")
        if policy is not None and policy not in POLICIES:
            raise Invalid(f"Invalid PCI alias definition: numa_policy of {name} must be one of {', '.join(POLICIES)}")
        match = DeviceMatch(vendor_id=_id(values, "vendor_id"), product_id=_id(values, "product_id"), type=kind)
        known = found.get(name)
        if known is None:
            found[name] = Alias((match,), policy)
            continue
        if known.matches[0].type != kind:
            raise Invalid(f"Invalid PCI alias definition: Device type mismatch for alias '{name}'")
        if known.affinity != policy:
            raise Invalid(f"Invalid PCI alias definition: NUMA policy mismatch for alias '{name}'")
        found[name] = Alias((*known.matches, match), policy)
    return found


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """Which devices a host offers. `address` is a pattern of each part; None: any."""

    vendor_id: str | None = None
    product_id: str | None = None
    address: tuple[str, str, str, str] | None = None
    regular: bool = False                        # the patterns are regular expressions
    physical_network: str | None = None

    def matches(self, device: HostDevice) -> bool:
        """Answer whether a device is meant, or a virtual function by its parent's address."""
        if self.vendor_id not in (None, device.vendor_id) or self.product_id not in (None, device.product_id):
            return False
        if self.address is None:
            return True
        return any(self._at(address) for address in (device.address, device.parent) if address is not None)

    def _at(self, address: str) -> bool:
        split = _ADDRESS.fullmatch(address)
        if split is None or self.address is None:
            return False
        if self.regular:
            return all(re.fullmatch(pattern, part) for pattern, part in zip(self.address, split.groups(), strict=True))
        return all(fnmatchcase(part, pattern) for pattern, part in zip(self.address, split.groups(), strict=True))


def device_specs(entries: Iterable[str]) -> tuple[DeviceSpec, ...]:
    """Read [pci]device_spec: JSON objects, or lists of them. Raises Invalid; what is not built is refused by name."""
    found = []
    for entry in entries:
        document = _json(entry, "PCI device spec")
        for values in document if isinstance(document, list) else [document]:
            if not isinstance(values, dict):
                raise Invalid(f"Invalid PCI device spec: {entry[:200]} is no JSON object")
            _only(values, _SPEC_KEYS, "PCI device spec")
            address, regular = _address_pattern(values.get("address"))
            found.append(DeviceSpec(
                _id(values, "vendor_id", wild=True), _id(values, "product_id", wild=True), address, regular,
                values.get("physical_network"),
            ))
    return tuple(found)


def offered(devices: Iterable[HostDevice], specs: Sequence[DeviceSpec]) -> tuple[HostDevice, ...]:
    """Answer the devices which some spec means, by address."""
    found = []
    for device in sorted(devices, key=lambda one: one.address):
        spec = next((one for one in specs if one.matches(device)), None)
        if spec is not None:
            found.append(replace(device, physical_network=spec.physical_network) if spec.physical_network else device)
    return tuple(found)


def _address_pattern(value: Any) -> tuple[tuple[str, str, str, str] | None, bool]:
    if value is None or value == "*":
        return None, False
    if isinstance(value, dict):
        parts = tuple(str(value.get(part, ".*")) for part in _PARTS)
        try:
            for part in parts:
                re.compile(part)
        except re.error as error:
            raise Invalid(f"Invalid PCI device spec: address {value} is no regular expression: {error}") from None
        return parts, True  # type: ignore[return-value]
    text = str(value).lower()
    head, dot, function = text.partition(".")
    fields = head.split(":")
    if len(fields) > 3 or (dot and not function):
        raise Invalid(f"The PCI address {value} has an incorrect format.")
    bus_slot = fields[-2:] if len(fields) > 1 else ["*", fields[0] or "*"]
    domain = fields[0] if len(fields) == 3 else "*"
    return (domain or "*", bus_slot[0] or "*", bus_slot[1] or "*", function or "*"), False


def _json(entry: str, what: str) -> Any:
    try:
        return json.loads(entry)
    except ValueError as error:
        raise Invalid(f"Invalid {what}: {entry[:200]} is no JSON: {error}") from None


def _object(entry: str, what: str) -> dict[str, Any]:
    values = _json(entry, what)
    if not isinstance(values, dict):
        raise Invalid(f"Invalid {what}: {entry[:200]} is no JSON object")
    return values


def _only(values: Mapping[str, Any], known: Collection[str], what: str) -> None:
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise Invalid(f"Invalid {what}: {', '.join(unknown)} is not supported here; known are {', '.join(sorted(known))}")


def _id(values: Mapping[str, Any], name: str, *, wild: bool = False) -> str | None:
    value = values.get(name)
    if value is None or (wild and value == "*"):
        return None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Invalid(f"{name} {value!r} of a PCI device must be four hexadecimal digits.")
    return value.lower()


# ---- what servers want


def wanted(specs: Mapping[str, str], properties: Mapping[str, str], known: Aliases) -> tuple[DeviceWish, ...]:
    """Answer the devices of `pci_passthrough:alias`, such as "gpu:1,nic:2". Raises Invalid for names which mean nothing."""
    policy = _policy(specs, properties)
    text = specs.get("pci_passthrough:alias")
    if not text:
        return ()
    found = []
    for part in text.split(","):
        name, colon, count = part.strip().partition(":")
        if not colon or not count.strip().isdecimal() or not 0 < int(count) < 1000:
            raise Invalid(f"Invalid PCI alias definition: {part.strip()[:80]!r} is not of the form name:count")
        alias = known.get(name)
        if alias is None:
            raise Invalid(f"PCI alias {name[:80]} is not defined")
        found.append(DeviceWish(alias=name, count=int(count), matches=alias.matches, affinity=policy or alias.affinity or LEGACY))
    return tuple(found)


def _policy(specs: Mapping[str, str], properties: Mapping[str, str]) -> str | None:
    of_flavor, of_image = specs.get("hw:pci_numa_affinity_policy"), properties.get("hw_pci_numa_affinity_policy")
    for policy in (of_flavor, of_image):
        if policy is not None and policy not in POLICIES:
            raise Invalid(f"Invalid PCI NUMA affinity configured: {policy[:80]}")
    if of_flavor and of_image and of_flavor != of_image:
        raise Invalid(
            "Image property 'hw_pci_numa_affinity_policy' is not permitted to override the 'hw:pci_numa_affinity_policy' flavor extra spec.",
        )
    return of_flavor or of_image


# ---- who gets which


@dataclass(frozen=True, slots=True)
class Pool:
    """Free devices which are alike: `addresses` in order."""

    sample: HostDevice
    addresses: tuple[str, ...]


def pools(devices: Iterable[HostDevice], used: Collection[str]) -> tuple[Pool, ...]:
    """Answer what is free. A physical function is not while one of its virtual ones is in use, nor are those while it is."""
    everything = tuple(devices)
    busy_parents = {device.parent for device in everything if device.parent is not None and device.address in used}
    by_kind: dict[HostDevice, list[str]] = {}
    for device in everything:
        if device.address in used or device.address in busy_parents or device.parent in used or device.physical_network is not None:
            continue
        by_kind.setdefault(replace(device, address=""), []).append(device.address)
    return tuple(Pool(kind, tuple(sorted(addresses))) for kind, addresses in by_kind.items())


def choose(
    wishes: Sequence[DeviceWish], free: Sequence[Pool], near: Collection[int] | None, sockets: Mapping[int, int | None],
) -> tuple[GuestDevice, ...] | DeviceWish:
    """Answer devices for all wishes, or the first wish which cannot be granted.

    `near` are the host's NUMA cells in which the guest is (None: it is everywhere), `sockets` those of all cells.
    """
    given: list[GuestDevice] = []
    left = tuple(free)
    # Physical functions first: with one go its virtual functions.
    for group in (tuple(one for one in wishes if one.matches[0].type == PHYSICAL), tuple(one for one in wishes if one.matches[0].type != PHYSICAL)):
        taken = _flow(group, left, near, sockets)
        if isinstance(taken, DeviceWish):
            return taken
        chosen: set[str] = set()
        for number, wish in enumerate(group):
            of_wish = [
                (address, left[index].sample) for index, count in taken[number].items()
                for address in [one for one in left[index].addresses if one not in chosen][:count]
            ]
            chosen.update(address for address, _ in of_wish)
            given += [
                GuestDevice(alias=wish.alias, address=address, vendor_id=kind.vendor_id, product_id=kind.product_id, type=kind.type)
                for address, kind in sorted(of_wish, key=lambda one: one[0])
            ]
        left = tuple(
            replace(pool, addresses=tuple(one for one in pool.addresses if one not in chosen))
            for pool in left if pool.sample.parent not in chosen
        )
    return tuple(given)


def _flow(
    wishes: Sequence[DeviceWish], free: Sequence[Pool], near: Collection[int] | None, sockets: Mapping[int, int | None],
) -> list[dict[int, int]] | DeviceWish:
    """Answer how many devices each wish gets of each pool: one by one, moving earlier ones to other pools where that helps."""
    fits = [_ordered(wish, free, near, sockets) for wish in wishes]
    given: list[dict[int, int]] = [{} for _ in wishes]
    left = [len(pool.addresses) for pool in free]

    def place(number: int, seen: set[int]) -> bool:
        for index in fits[number]:
            if index in seen:
                continue
            seen.add(index)
            if left[index]:
                left[index] -= 1
            else:
                mover = next((other for other, of in enumerate(given) if of.get(index) and other != number and place(other, seen)), None)
                if mover is None:
                    continue
                given[mover][index] -= 1
            given[number][index] = given[number].get(index, 0) + 1
            return True
        return False

    for number, wish in enumerate(wishes):
        for _ in range(wish.count):
            if not place(number, set()):
                return wish
    return given


def _ordered(
    wish: DeviceWish, free: Sequence[Pool], near: Collection[int] | None, sockets: Mapping[int, int | None],
) -> list[int]:
    """Answer the pools which a wish can be granted from: near ones first, then those with few devices free."""
    found = [
        index for index, pool in enumerate(free)
        if any(_is(pool.sample, match) for match in wish.matches) and (near is None or _near_enough(wish.affinity, pool.sample.numa_node, near, sockets))
    ]
    return sorted(found, key=lambda index: (
        near is not None and free[index].sample.numa_node not in near, len(free[index].addresses), free[index].addresses[:1],
    ))


def _is(device: HostDevice, match: DeviceMatch) -> bool:
    return (
        device.type == match.type and match.vendor_id in (None, device.vendor_id) and match.product_id in (None, device.product_id)
    )


def _near_enough(policy: str, node: int | None, near: Collection[int], sockets: Mapping[int, int | None]) -> bool:
    if policy == PREFERRED or node in near:
        return True
    if policy == LEGACY:
        return node is None
    return policy == SOCKET and node is not None and sockets.get(node) is not None and sockets.get(node) in {sockets.get(cell) for cell in near}
