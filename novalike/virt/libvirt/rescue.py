"""Booting guests from rescue disks.

A rescue's files lie in the server's folder and end in `.rescue`. `rescue.json` is the last of them to be written; as long as
it is there and says so, the guest is (or was about to be) booted from the rescue disk.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from novalike.exception import BuildFailed, NotFound
from novalike.objects.states import PowerState
from novalike.virt.driver import RescueRequest, SpawnRequest
from novalike.virt.libvirt import demands, guest
from novalike.virt.libvirt.core import LibvirtCore, build_failures, failures
from novalike.virt.libvirt.demands import CDROM_BUSES, DISK_BUSES, Demands
from novalike.virt.libvirt.disks import CONFIG_DRIVE, RESCUE, ROOT, DiskFile, link, store
from novalike.virt.libvirt.machine import Files, machine

_RECORD = "rescue.json"
_SUFFIX = ".rescue"
_DISK, _CONFIG_DRIVE = "disk.rescue", "disk.config.rescue"
#: Role of the server's own root disk while another one is booted.
_RESCUED = "rescued"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What is prepared: by which attempt, which disks the guest is to see, and whether it was told to boot from there."""

    attempt: str
    disks: tuple[DiskFile, ...]
    kernel: bool = False
    ramdisk: bool = False
    booted: bool = False


class RescuedGuests(LibvirtCore):
    """Capability Rescuer.

    Usually the rescue disk is the first one and the server's own root disk the second, with nothing else. With
    hw_rescue_device or hw_rescue_bus in the rescue image (stable rescue) all disks stay where they are, and the guest boots
    from one more.
    """

    def prepare_rescue(self, request: RescueRequest) -> bool:
        uuid = request.guest.instance.uuid
        with self._working(uuid), build_failures():
            record = self._record(uuid)
            if record is not None and record.attempt == request.attempt:
                return record.booted and self._host.call(guest.power_state, uuid) is PowerState.RUNNING
            if record is not None and record.booted:     # by a rescue which was given up without a word from here
                self._host.call(guest.cut_power, uuid)
            self._remove(uuid)
            record = self._make(request)
            # What no machine can be made of must not come out when the guest is off.
            machine(request.guest, _demands(request), self._seen(uuid, record), self._choices(), made=self._clock.now())
            self._store(uuid, record)
        return False

    def rescue(self, request: RescueRequest) -> None:
        uuid = request.guest.instance.uuid
        with self._working(uuid), failures():
            record = self._record(uuid)
            if record is None or record.attempt != request.attempt:
                raise NotFound("No rescue disk is prepared for the server.")
            self._store(uuid, replace(record, booted=True))
            shown = request.guest if _is_stable(request.properties) else replace(request.guest, block_devices=())
            self._ports.plug(uuid, shown.vifs)
            xml, _ = self._xml(shown, _demands(request), self._seen(uuid, record))
            self._host.call(guest.restart, uuid, xml)

    def unrescue(self, request: SpawnRequest, *, start: bool) -> None:
        uuid = request.instance.uuid
        with self._working(uuid), failures():
            record = self._record(uuid)
            rescued = record is not None and record.booted
            if start:
                self._ports.plug(uuid, request.vifs)
                xml, _ = self._xml(request, demands.of(request.instance))
                self._host.call(guest.restart if rescued else guest.start_unless_running, uuid, xml)
            elif rescued:
                self._host.call(guest.cut_power, uuid)
            self._remove(uuid)

    # ---- files

    def _make(self, request: RescueRequest) -> _Record:
        """Fetch what the guest boots from and make its disks. Raises BuildFailed."""
        uuid, images = request.guest.instance.uuid, self._images
        own = self._disks.existing(uuid)
        image = images.ensure(request.image)
        boot_files = {name: images.ensure(source) for name, source in (("kernel", request.kernel), ("ramdisk", request.ramdisk)) if source}
        for name, cached in boot_files.items():
            link(cached.path, self._disks.file(uuid, f"{name}{_SUFFIX}"))
        stable = _is_stable(request.properties)
        device, bus = _place(request.properties) if stable else ("disk", None)
        path = self._disks.file(uuid, _DISK)
        if device == "cdrom" or request.image.disk_format == "iso":
            link(image.path, path)
            device, file_format = "cdrom", image.format
        else:
            file_format = self._disks.disk_of(image, path, image.virtual_size)
        disk = DiskFile(
            name=_DISK, format=file_format, role=RESCUE if stable else ROOT, size=image.virtual_size, device=device, bus=bus,
        )
        config = self._config(request)
        if stable:
            others = [file for file in own if file.role != CONFIG_DRIVE or not config]
            disks = [*others, *config, disk]
        else:
            disks = [disk, *(replace(file, role=_RESCUED) for file in own if file.role == ROOT), *config]
        return _Record(
            attempt=request.attempt, disks=tuple(disks), kernel="kernel" in boot_files, ramdisk="ramdisk" in boot_files,
        )

    def _config(self, request: RescueRequest) -> list[DiskFile]:
        """Make a config drive for the rescue where the server has one, or a password must reach the guest."""
        shown = replace(request.guest, admin_password=request.admin_password)
        content = self._config_drive(shown, _demands(request), needed=request.admin_password is not None)
        if content is None:
            return []
        store(self._disks.file(request.guest.instance.uuid, _CONFIG_DRIVE), content)
        return [DiskFile(name=_CONFIG_DRIVE, format="raw", role=CONFIG_DRIVE, size=len(content), device="cdrom")]

    def _seen(self, uuid: str, record: _Record) -> Files:
        return Files(
            folder=self._disks.folder(uuid), disks=record.disks, kernel=record.kernel, ramdisk=record.ramdisk, suffix=_SUFFIX,
        )

    def _record(self, uuid: str) -> _Record | None:
        try:
            with open(self._disks.file(uuid, _RECORD), "rb") as file:
                values = json.load(file)
        except FileNotFoundError:
            return None
        return _Record(**{**values, "disks": tuple(DiskFile(**disk) for disk in values["disks"])})

    def _store(self, uuid: str, record: _Record) -> None:
        path = self._disks.file(uuid, _RECORD)
        store(f"{path}.part", json.dumps(asdict(record)).encode())
        os.replace(f"{path}.part", path)

    def _remove(self, uuid: str) -> None:
        folder = self._disks.folder(uuid)
        if not os.path.isdir(folder):
            raise NotFound("There is no such server on this host.")
        doomed = [name for name in os.listdir(folder) if name.endswith(_SUFFIX) or name.startswith(_RECORD)]
        for name in sorted(doomed, key=lambda name: name == _RECORD):      # the record last
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))


def _is_stable(properties: Mapping[str, str]) -> bool:
    return "hw_rescue_device" in properties or "hw_rescue_bus" in properties


def _place(properties: Mapping[str, str]) -> tuple[str, str | None]:
    """Answer device and bus of a stable rescue's disk; bus None: what the server's own disks have. Raises BuildFailed."""
    device, bus = properties.get("hw_rescue_device", "disk"), properties.get("hw_rescue_bus")
    known = {"disk": DISK_BUSES, "cdrom": CDROM_BUSES}
    if device not in known:
        raise BuildFailed(f"Requested rescue device '{device}' is not supported.", retry=False)
    if bus is not None and bus not in known[device]:
        raise BuildFailed(f"Requested rescue bus '{bus}' is not supported for a {device}.", retry=False)
    return device, bus


def _demands(request: RescueRequest) -> Demands:
    """Answer the machine for a rescue: the rescue image's, or the server's own in a stable one.

    The firmware is never less than the server's: what it keeps between boots belongs to the server.
    """
    server = request.guest.instance
    own = demands.of(server)
    if _is_stable(request.properties):
        return own
    wanted = demands.of(replace(server, image_properties=dict(request.properties)))
    return replace(wanted, uefi=wanted.uefi or own.uefi)
