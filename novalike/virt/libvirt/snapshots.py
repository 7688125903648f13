"""Copying guests' disks: of a guest which runs or is paused by a mirror, of one which is off from its file."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

import libvirt

from novalike.exception import NotFound, NovalikeError
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.states import PowerState
from novalike.virt.driver import DiskCopy
from novalike.virt.libvirt import block_copy, demands, guest, qcow2, qemu_img
from novalike.virt.libvirt.copies import COPY, DELTA, FROZEN, PART, Copies
from novalike.virt.libvirt.core import LibvirtCore, failures
from novalike.virt.libvirt.disks import ROOT, DiskFile

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_THAW_ATTEMPTS = 3
_TRUE = frozenset({"yes", "true", "1", "on"})


class CopiedGuests(LibvirtCore):
    """Capabilities Copier and ImageCaching."""

    @property
    def _copies(self) -> Copies:
        return Copies(os.path.abspath(self._conf.libvirt.snapshots_directory))

    def copy_disk(self, instance: Instance, image_id: str, *, go_on: Callable[[], None]) -> DiskCopy:
        uuid, copies, options = instance.uuid, self._copies, self._conf.libvirt
        disk = self._root_disk(uuid)
        path = self._disks.file(uuid, disk.name)
        target_format = options.snapshot_image_format or disk.format
        with self._working(uuid), failures():
            state = self._host.call(guest.power_state, uuid)
            if state is None:
                raise NotFound("There is no such server on this host.")
            self._settle_copy(uuid, image_id)
            try:
                copies.begin(uuid, image_id)
                part = copies.file(uuid, image_id, PART)
                live = disk.device == "disk" and state in (PowerState.RUNNING, PowerState.PAUSED)
                source, source_format = path, disk.format
                if live:
                    source, source_format = self._mirrored(instance, image_id, disk, running=state is PowerState.RUNNING, go_on=go_on), "qcow2"
                qemu_img.export(
                    source, source_format, part, target_format, compress=options.snapshot_compression,
                    in_use=not live and state is not PowerState.SHUTDOWN, go_on=go_on, clock=self._clock,
                )
                if live:
                    os.unlink(source)
                os.replace(part, copies.file(uuid, image_id, COPY))
                return DiskCopy(disk_format=target_format, size=os.path.getsize(copies.file(uuid, image_id, COPY)))
            except OSError as error:
                raise NovalikeError("The server's disk could not be copied.", details=str(error)) from error

    def open_copy(self, instance_uuid: str, image_id: str) -> BinaryIO:
        try:
            return open(self._copies.file(instance_uuid, image_id, COPY), "rb")
        except OSError as error:
            raise NotFound("There is no copy of the server's disk.", details=str(error)) from error

    def discard_copy(self, instance_uuid: str, image_id: str) -> None:
        with self._working(instance_uuid), failures():
            self._settle_copy(instance_uuid, image_id)
            self._copies.remove(instance_uuid, image_id)

    def settle_copies(self, *, older_than: float, busy: Callable[[str], bool]) -> int:
        before, count = self._clock.time() - older_than, 0
        for uuid, image_id, changed in list(self._copies.all()):
            if changed < before and not busy(uuid):
                LOG.warning("Removing the copy of instance %s's disk for image %s, which nobody asked for", uuid, image_id)
                self.discard_copy(uuid, image_id)
                count += 1
        return count

    def end_copies(self, instance_uuid: str) -> None:
        """Let a guest go on whose copying was interrupted by the daemon's death; the conductor orders it anew."""
        with self._working(instance_uuid), failures():
            for image_id in self._copies.of(instance_uuid):
                self._settle_copy(instance_uuid, image_id)

    def clean_image_cache(self, *, unused_for: float) -> int:
        return self._disks.clean_images(unused_for=unused_for)

    def destroy(self, instance_uuid: str, instance_name: str, vifs: tuple[Vif, ...]) -> None:
        super().destroy(instance_uuid, instance_name, vifs)
        self._copies.remove(instance_uuid)

    def leftovers(self, instance_uuid: str, vifs: tuple[Vif, ...] = ()) -> tuple[str, ...]:
        return (*super().leftovers(instance_uuid, vifs), *self._copies.leftovers(instance_uuid))

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _root_disk(self, uuid: str) -> DiskFile:
        found = next((disk for disk in self._disks.existing(uuid) if disk.role == ROOT), None)
        if found is None:
            raise NovalikeError("The server has no root disk of which an image could be made.")
        return found

    def _mirrored(self, instance: Instance, image_id: str, disk: DiskFile, *, running: bool, go_on: Callable[[], None]) -> str:
        """Answer a file which holds the disk as it was in one moment, on the same base."""
        uuid = instance.uuid
        path, delta = self._disks.file(uuid, disk.name), self._copies.file(uuid, image_id, DELTA)
        base = qcow2.backing(path) if disk.format == "qcow2" else None
        qemu_img.create(delta, size=disk.size, backing=base.path if base else None, backing_format=base.format if base else None)
        started = self._clock.monotonic()
        self._host.call(block_copy.begin, uuid, path, delta)
        try:
            while not self._is_ready(uuid, path):
                go_on()
                self._clock.sleep(_POLL_SECONDS)
            with self._at_rest(instance, image_id, running=running):
                go_on()
                if not self._host.call(block_copy.end, uuid, path):
                    raise NovalikeError("The server's disk could not be copied.", details="the mirror ended by itself")
        except BaseException:
            self._end_mirror(uuid, path)
            raise
        LOG.info("Instance %s: its disk was mirrored in %.2f s", uuid, self._clock.monotonic() - started)
        return delta

    def _is_ready(self, uuid: str, path: str) -> bool:
        ready = self._host.call(block_copy.ready, uuid, path)
        if ready is None:
            raise NovalikeError("The server's disk could not be copied.", details="the mirror ended by itself")
        return ready

    def _end_mirror(self, uuid: str, path: str) -> None:
        try:
            self._host.call(block_copy.end, uuid, path)
        except (libvirt.libvirtError, NovalikeError):
            LOG.exception("the mirror of instance %s's disk could not be ended; it ends with the next attempt or the guest", uuid)

    @contextlib.contextmanager
    def _at_rest(self, instance: Instance, image_id: str, *, running: bool) -> Iterator[None]:
        """Keep the guest's file systems at rest, where its agent can; whatever happens, they go on afterwards.

        Raises NovalikeError when its image demands that and it cannot be done.
        """
        required = instance.image_properties.get("os_require_quiesce", "").lower() in _TRUE
        if not demands.of(instance).guest_agent:
            if required:
                raise NovalikeError("The guest's file systems cannot be brought to rest: its image has no guest agent (hw_qemu_guest_agent).")
            yield
            return
        mark = self._copies.file(instance.uuid, image_id, FROZEN)
        if not running:
            if required:
                raise NovalikeError("The guest's file systems cannot be brought to rest while it is paused.")
            yield
            return
        with open(mark, "wb"):
            pass                                         # before it is true: a daemon which dies in between leaves a trace
        try:
            reason = self._host.call(block_copy.freeze, instance.uuid)
            if reason is not None and required:
                raise NovalikeError("The guest's file systems could not be brought to rest, as its image demands.", details=reason)
            if reason is not None:
                LOG.warning("Instance %s is copied without bringing its file systems to rest: %s", instance.uuid, reason)
            yield
        finally:
            self._thaw(instance.uuid, mark)

    def _thaw(self, uuid: str, mark: str) -> None:
        for attempt in range(1, _THAW_ATTEMPTS + 1):
            try:
                self._host.call(block_copy.thaw, uuid)
                break
            except (libvirt.libvirtError, NovalikeError) as error:
                level = logging.ERROR if attempt == _THAW_ATTEMPTS else logging.INFO
                LOG.log(level, "instance %s: its file systems were not told to go on: %s", uuid, error)
        else:
            return                                       # the mark stays: the next attempt, or the next start, tries again
        with contextlib.suppress(FileNotFoundError):
            os.unlink(mark)

    def _settle_copy(self, uuid: str, image_id: str) -> None:
        """End what an attempt which was interrupted left in the guest."""
        with contextlib.suppress(NotFound):
            self._host.call(block_copy.end, uuid, self._disks.file(uuid, self._root_disk(uuid).name))
        mark = self._copies.file(uuid, image_id, FROZEN)
        if os.path.exists(mark):
            LOG.warning("Instance %s: its file systems may be at rest since the daemon died; they go on", uuid)
            self._thaw(uuid, mark)

