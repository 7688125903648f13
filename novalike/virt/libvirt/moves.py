"""Guests which move to another host, or to another size on this one.

The source renames the server's folder to `<uuid>_resize` and keeps it until the move is confirmed or reverted; its domain
stays defined. The destination makes the folder of those files: copied here, or fetched from the source (transfer.py), the
root disk's image included when it is not in the cache, since the image service may have it no more.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from oslo_config import cfg

from novalike.clock import Clock
from novalike.exception import BuildFailed, NovalikeError
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.secret import Secret
from novalike.rpc import serializer
from novalike.virt.driver import PowerListener, SpawnRequest
from novalike.virt.libvirt import demands, guest, qcow2, qemu_img, secrets, transfer
from novalike.virt.libvirt.core import LibvirtCore, build_failures, failures
from novalike.virt.libvirt.disks import ASIDE, ROOT, SWAP, DiskFile
from novalike.virt.libvirt.images import CachedImage

LOG = logging.getLogger(__name__)

#: Written last: by which move the files came.
_MARK = "moved-by"
#: The name under which the root disk's image is offered; no file of a server is called so.
_IMAGE = "image"
_BOOT_FILES = ("kernel", "ramdisk")
_GIB = 1 << 30
_COPY_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The image beneath a root disk. `virtual_size` is in bytes."""

    image_id: str
    format: str
    virtual_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the source tells the destination. `where` is empty when nobody but the source itself may have the files."""

    disks: tuple[dict[str, str | int], ...]      # DiskFile
    boot_files: tuple[str, ...] = ()
    image: Image | None = None
    where: str = ""


class MovedGuests(LibvirtCore):
    """Capability Movable."""

    def __init__(self, conf: cfg.ConfigOpts, clock: Clock | None = None) -> None:
        super().__init__(conf, clock)
        self._offers = transfer.Offers(
            os.path.join(conf.state_path, "offered-disks.json"), conf.compute.transfer_listen or conf.my_ip, conf.compute.transfer_port,
            self._clock,
        )

    def start(self, listener: PowerListener) -> None:
        super().start(listener)
        try:
            self._offers.resume()
        except OSError as error:
            LOG.warning("Disks which were offered to other hosts are not any more: %s", error)

    def stop(self) -> None:
        self._offers.stop()
        super().stop()

    # ---- on the source ----------------------------------------------------------------------------------------------

    def move_out(
        self, instance: Instance, *, timeout: int, retry_interval: int = 10, ticket: Secret | None = None, ticket_seconds: int = 0,
    ) -> str:
        uuid = instance.uuid
        with self._working(uuid), failures():
            if not self._disks.is_aside(uuid):
                if self._host.call(guest.power_state, uuid) is not None:
                    self.power_off(uuid, timeout=timeout, retry_interval=retry_interval)
                try:
                    self._disks.put_aside(uuid)
                except OSError as error:
                    raise NovalikeError("The server's disks could not be put aside.", details=str(error)) from error
                self._host.call(secrets.forget, uuid)    # of volumes: they go with the server
            return self._offer(uuid, ticket, ticket_seconds)

    def _offer(self, uuid: str, ticket: Secret | None, seconds: int) -> str:
        folder = f"{uuid}{ASIDE}"
        disks = [disk for disk in self._disks.existing(folder) if disk.role != SWAP]
        boot_files = tuple(name for name in _BOOT_FILES if os.path.exists(self._disks.file(folder, name)))
        image = self._image_beneath(folder, disks)
        offer = Offer(
            disks=tuple(asdict(disk) for disk in disks), boot_files=boot_files,
            image=Image(image_id=image.image_id, format=image.format, virtual_size=image.virtual_size) if image is not None else None,
        )
        if ticket is not None:
            files = {name: self._disks.file(folder, name) for name in (*(disk.name for disk in disks), *boot_files)}
            if image is not None:
                files[_IMAGE] = image.path
            try:
                offer = replace(offer, where=self._offers.offer(uuid, files, ticket, seconds))
            except OSError as error:
                raise NovalikeError("The server's disks could not be offered to its new host.", details=str(error)) from error
        return json.dumps(serializer.dump(Offer, offer))

    def _image_beneath(self, folder: str, disks: list[DiskFile]) -> CachedImage | None:
        root = next((disk for disk in disks if disk.role == ROOT and disk.format == "qcow2"), None)
        if root is None:
            return None
        try:
            backing = qcow2.backing(self._disks.file(folder, root.name))
        except OSError as error:
            raise NovalikeError("The server's root disk could not be read.", details=str(error)) from error
        return self._images.of_path(backing.path) if backing is not None else None

    def put_back(self, request: SpawnRequest, *, power_on: bool) -> None:
        uuid = request.instance.uuid
        with self._working(uuid), failures():
            self._offers.withdraw(uuid)
            self._take_back(uuid)
            wanted = demands.of(request.instance)
            if power_on:
                self._ports.plug(uuid, request.vifs)
            xml, _ = self._xml(request, wanted)
            self._host.call(guest.start_unless_running if power_on else guest.define, uuid, xml)

    def drop_aside(self, instance_uuid: str) -> None:
        with self._working(instance_uuid), failures():
            self._offers.withdraw(instance_uuid)
            self._disks.drop_aside(instance_uuid)

    def _take_back(self, uuid: str) -> None:
        """Take back what is aside. What runs of the server in its new size on this same host is cut off."""
        if self._disks.is_aside(uuid):
            self._host.call(guest.cut_power, uuid)
            try:
                self._disks.take_back(uuid)
            except OSError as error:
                raise NovalikeError("The server's old disks could not be taken back.", details=str(error)) from error

    # ---- on the destination -----------------------------------------------------------------------------------------

    def fetch(
        self, request: SpawnRequest, offer: str, *, ticket: Secret | None, local: bool, go_on: Callable[[], None],
    ) -> None:
        uuid = request.instance.uuid
        mark = hashlib.sha256(f"{offer} {request.instance.flavor}".encode()).hexdigest()
        with self._working(uuid), build_failures():
            if self._mark(uuid) == mark:
                return
            known: Offer = serializer.load(Offer, json.loads(offer))
            get = self._getter(uuid, known, ticket, local=local, go_on=go_on)
            incoming = self._disks.begin_incoming(uuid)
            for name in known.boot_files:
                get(name, self._disks.file(incoming, name))
            disks = [self._disk(request, known, DiskFile(**record), incoming, get) for record in known.disks]  # type: ignore[arg-type]
            disks = self._with_blanks(request, disks, incoming)
            with open(self._disks.file(incoming, _MARK), "w", encoding="ascii") as file:
                file.write(mark)
            go_on()
            self._disks.end_incoming(uuid, disks)

    def _getter(
        self, uuid: str, offer: Offer, ticket: Secret | None, *, local: bool, go_on: Callable[[], None],
    ) -> Callable[[str, str], None]:
        """Answer what makes a path the offered file of a name."""
        def copy(name: str, path: str) -> None:
            go_on()
            _copy(self._disks.file(f"{uuid}{ASIDE}", name), path)

        def fetch(name: str, path: str) -> None:
            if ticket is None or not offer.where:
                raise BuildFailed("The server's disks are on another host, which does not offer them.")
            transfer.fetch(offer.where, uuid, name, ticket, path, clock=self._clock, go_on=go_on)
        return copy if local else fetch

    def _disk(
        self, request: SpawnRequest, offer: Offer, disk: DiskFile, incoming: str, get: Callable[[str, str], None],
    ) -> DiskFile:
        """Make one of the moved disks, the root disk as large as the flavor says."""
        path = self._disks.file(incoming, disk.name)
        if os.path.basename(disk.name) != disk.name:
            raise BuildFailed("What the server's host offers is no disk.", retry=False, details=disk.name)
        get(disk.name, path)
        if disk.format == "qcow2":
            self._put_on_image(disk, path, offer.image, get)
        if disk.role == ROOT and disk.device == "disk":
            wanted = request.instance.flavor.root_gb * _GIB
            if wanted > disk.size:
                qemu_img.resize(path, disk.format, wanted)
                disk = replace(disk, size=wanted)
        return disk

    def _put_on_image(self, disk: DiskFile, path: str, image: Image | None, get: Callable[[str, str], None]) -> None:
        """Let a disk which came stand on the image in this host's cache. Its header is looked at before QEMU does."""
        header = qcow2.header(path)
        if header is None or header.version != 3 or header.has_data_file or header.encrypted or header.virtual_size != disk.size:
            raise BuildFailed("What came from the server's host is not its disk.", details=f"{disk.name}: {header}")
        if header.has_backing_file != (image is not None):
            raise BuildFailed("What came from the server's host is not its disk.", details=f"{disk.name}: its image is not offered")
        if image is not None:
            cached = self._images.adopt(image.image_id, image.format, image.virtual_size, lambda part: get(_IMAGE, part))
            qemu_img.rebase(path, cached.path, cached.format)

    def _with_blanks(self, request: SpawnRequest, disks: list[DiskFile], incoming: str) -> list[DiskFile]:
        """Add the empty disks which the new flavor has: swap is made anew, ephemeral disks that came grow, others are made."""
        came = {disk.name: disk for disk in disks}
        blanks = self._disks.blanks(request)
        for blank in blanks:
            path = self._disks.file(incoming, blank.disk.name)
            if blank.disk.name not in came:
                blank.make(path)
            elif blank.disk.size > came[blank.disk.name].size:
                os.truncate(path, blank.disk.size)
        named = {blank.disk.name: blank.disk for blank in blanks}
        first = [disk for disk in disks if disk.role == ROOT]
        rest = [disk for disk in disks if disk.role != ROOT and disk.name not in named]
        return [*first, *named.values(), *rest]

    def _mark(self, uuid: str) -> str | None:
        try:
            with open(self._disks.file(uuid, _MARK), encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def arrive(self, request: SpawnRequest, *, power_on: bool) -> None:
        uuid = request.instance.uuid
        with self._working(uuid), build_failures():
            if power_on:
                self._ports.plug(uuid, request.vifs)
            xml, _ = self._xml(request, demands.of(request.instance))
            self._host.call(guest.start_unless_running if power_on else guest.define, uuid, xml)

    # ---- what the core does differently for guests which may be aside -----------------------------------------------

    def power_on(self, request: SpawnRequest) -> None:
        self._settle(request.instance.uuid)
        super().power_on(request)

    def reboot(self, request: SpawnRequest, *, hard: bool, timeout: int) -> None:
        self._settle(request.instance.uuid)
        super().reboot(request, hard=hard, timeout=timeout)

    def destroy(self, instance_uuid: str, instance_name: str, vifs: tuple[Vif, ...]) -> None:
        self._offers.withdraw(instance_uuid)
        super().destroy(instance_uuid, instance_name, vifs)

    def _settle(self, uuid: str) -> None:
        """Take back a server of which all is aside: a move was given up while nobody could tell this host."""
        if not os.path.isdir(self._disks.folder(uuid)) and self._disks.is_aside(uuid):
            LOG.warning("Instance %s is started where its disks are aside: its move was given up", uuid)
            with self._working(uuid), failures():
                self._offers.withdraw(uuid)
                self._take_back(uuid)


def _copy(source: str, target: str) -> None:
    """Copy a file on this host, sharing its blocks where the file system can. Raises BuildFailed."""
    try:
        subprocess.run(
            ["cp", "--reflink=auto", "--sparse=always", "--preserve=mode", "--", source, target], check=True, capture_output=True,
            timeout=_COPY_SECONDS, env={"PATH": os.defpath, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildFailed("The server's disks could not be copied.", details=str(error)) from error
