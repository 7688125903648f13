"""One server: from Nova's rows to ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from novalike.manage.import_nova import disks, flavors, hardware, history, network, versioned
from novalike.manage.import_nova.hosts import Place
from novalike.manage.import_nova.plan import Left
from novalike.manage.import_nova.source import Row
from novalike.manage.import_nova.target import Target, named, owner
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Fault, Instance, numbered_name
from novalike.objects.move_tasks import Departure
from novalike.objects.states import VmState

#: Of an image's traits in system metadata, `image_*`: those which are no properties of it.
_NOT_PROPERTIES = frozenset({"min_ram", "min_disk", "disk_format", "container_format", "base_image_ref", "size", "name", "id", "checksum", "owner"})
_KNOWN_STATES = frozenset(VmState) - {VmState.DELETED}
_BUSY = "on which Nova is working: let it end, or take them over idle with --reset-tasks"


@dataclass(frozen=True, slots=True)
class Parts:
    """All rows of one server, but its own."""

    extra: Row
    cache: str | None
    metadata: list[Row]
    system_metadata: list[Row]
    tags: list[Row]
    devices: list[Row]
    faults: list[Row]
    moves: list[Row]
    interfaces: list[Row]
    pci: list[Row]
    spec: dict[str, Any]
    group: str | None


@dataclass(frozen=True, slots=True)
class Server:
    """A server as it is stored here. `departure`: from where it came, when its user has yet to confirm a move."""

    instance: Instance
    devices: tuple[BlockDevice, ...]
    departure: Departure | None
    move: str | None = None                      # the uuid of the record of that move

    def renamed(self, groups: Mapping[str, str]) -> Server:
        """Answer it with security groups by their names, of those ids which have one."""
        names = tuple(groups.get(name, name) for name in self.instance.security_groups)
        return replace(self, instance=replace(self.instance, security_groups=names))

    @property
    def boots_from_volume(self) -> bool:
        """Whether its root disk is a volume."""
        return disks.boots_from_volume(self.devices)


def convert(row: Row, parts: Parts, target: Target, places: set[Place], zones: Mapping[str, str]) -> Server:
    """Answer a server. Raises Left for one which cannot be taken over."""
    flavor_document = versioned.data(parts.extra.get("flavor"))
    if not flavor_document or not flavor_document.get("cur"):
        raise Left("without a flavor of their own: run nova-manage db online_data_migrations")
    instance = _with_state(row, _instance(row, parts, flavor_document["cur"], target), target)
    host = instance.host
    if host is not None and (host, instance.node) not in places:
        raise Left(f"on host {host}, which has no compute node")
    instance = replace(
        instance, hardware=hardware.of(parts.extra, parts.pci) if host is not None else None,
        availability_zone=(zones.get(host) or target.default_zone) if host is not None else None,
    )
    waiting = history.awaited(instance.vm_state, parts.moves)
    return Server(
        instance, disks.devices(parts.devices), _departure(parts, flavor_document, instance, waiting, target, places, zones),
        waiting["uuid"] if waiting is not None else None,
    )


def _with_state(row: Row, instance: Instance, target: Target) -> Instance:
    if instance.vm_state not in _KNOWN_STATES:
        raise Left(f"in the unknown state {instance.vm_state}")
    building = instance.vm_state == VmState.BUILDING
    if row["task_state"] is None and not building:
        return instance
    if not target.reset_tasks:
        raise Left(_BUSY)
    if building:
        lost = Fault(code=500, message="The build was cut off when Nova was taken over.", created=target.now)
        return replace(instance, vm_state=VmState.ERROR, fault=lost)
    return instance


def _instance(row: Row, parts: Parts, flavor: dict[str, Any], target: Target) -> Instance:
    system = {one["key"]: one["value"] or "" for one in parts.system_metadata}
    image = {name.removeprefix("image_"): value for name, value in system.items() if name.startswith("image_")}
    properties = {name: value for name, value in image.items() if name not in _NOT_PROPERTIES}
    locked = bool(row.get("locked"))
    guest_name = named(target.name_template, row)
    vifs = network.vifs(parts.cache, {one["uuid"]: one["tag"] for one in parts.interfaces if one["tag"]})
    keypairs = versioned.data(parts.extra["keypairs"]) or []
    certificates = (versioned.data(parts.extra.get("trusted_certs")) or {}).get("ids")
    return Instance(
        id=row["id"], uuid=row["uuid"], project_id=owner(row["project_id"], "project"), user_id=owner(row["user_id"], "user"),
        display_name=row.get("display_name") or "", hostname=row.get("hostname") or "", vm_state=row["vm_state"] or "", power_state=row["power_state"] or 0,
        guest_name=guest_name if guest_name != numbered_name(row["id"]) else None, host=row["host"] or None, node=row["node"] or row["host"] or None,
        requested_zone=parts.spec.get("availability_zone"), flavor=flavors.embedded(flavor), image_ref=row.get("image_ref") or "",
        image_properties=properties, image_name=(parts.spec.get("image") or {}).get("name"), kernel_id=row.get("kernel_id") or "",
        ramdisk_id=row.get("ramdisk_id") or "", key_name=row.get("key_name"), key_data=row.get("key_data"),
        key_type=next((one.get("type") or "ssh" for one in keypairs), "ssh"), reservation_id=row.get("reservation_id") or "",
        launch_index=row.get("launch_index") or 0, description=row.get("display_description"),
        metadata={one["key"]: one["value"] or "" for one in parts.metadata},
        system_metadata={
            name: value for name, value in system.items()
            if name not in ("locked_reason", "old_vm_state") and not (name.startswith("image_") and name.removeprefix("image_") in properties)
        },
        tags=tuple(one["tag"] for one in parts.tags), user_data=row.get("user_data"), config_drive=str(row.get("config_drive") or "").lower() in ("true", "1"),
        auto_disk_config=bool(row.get("auto_disk_config")), access_ip_v4=_text(row.get("access_ip_v4")), access_ip_v6=_text(row.get("access_ip_v6")),
        root_device_name=row.get("root_device_name"), root_gb=row.get("root_gb") or 0,
        locked_by=(row.get("locked_by") or "owner") if locked else None, locked_reason=system.get("locked_reason") if locked else None,
        security_groups=_security_groups(parts.spec) if vifs else (), scheduler_hints=_hints(parts.spec), trusted_image_certificates=tuple(certificates) if certificates else None,
        server_group=parts.group, network_info=vifs, fault=history.fault(parts.faults), progress=row.get("progress") or 0,
        os_type=row.get("os_type"), architecture=row.get("architecture"), created_at=row.get("created_at") or target.now,
        updated_at=row.get("updated_at"), launched_at=row.get("launched_at"), terminated_at=row.get("terminated_at"),
    )


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _security_groups(spec: dict[str, Any]) -> tuple[str, ...]:
    found = [one.get("name") or one.get("uuid") for one in spec.get("security_groups") or ()]
    return tuple(name for name in found if name) or ("default",)


def _hints(spec: dict[str, Any]) -> dict[str, object]:
    """Answer the hints; Nova wraps each into a list, whatever it was."""
    return {name: value for name, value in (spec.get("scheduler_hints") or {}).items() if value is not None}


def _departure(
    parts: Parts, flavor_document: dict[str, Any], instance: Instance, waiting: Row | None, target: Target, places: set[Place],
    zones: Mapping[str, str],
) -> Departure | None:
    if instance.vm_state != VmState.RESIZED:
        return None
    old = flavor_document.get("old")
    if waiting is None or not waiting["uuid"] or not old or (waiting["source_compute"], waiting["source_node"]) not in places:
        raise Left("which wait for a resize to be confirmed of which not everything is known: confirm or revert it in Nova")
    context = versioned.data(parts.extra.get("migration_context")) or {}
    if context.get("old_numa_topology") or context.get("old_pci_devices"):
        raise Left("which wait for a resize to be confirmed and hold CPUs or devices of two hosts: confirm or revert it in Nova")
    before = next((one["value"] for one in parts.system_metadata if one["key"] == "old_vm_state"), None)
    return Departure(
        host=waiting["source_compute"], node=waiting["source_node"], availability_zone=zones.get(waiting["source_compute"]) or target.default_zone,
        vm_state=before or VmState.ACTIVE, flavor=flavors.embedded(old), auto_disk_config=instance.auto_disk_config,
    )
