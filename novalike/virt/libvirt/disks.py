"""The files of a server on this host: `<instances_path>/<uuid>/` with disks, kernel, config drive and console log."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass

from novalike.concurrency import native
from novalike.exception import BuildFailed, NotFound, NovalikeError
from novalike.objects.instance import Instance
from novalike.virt.driver import SpawnRequest
from novalike.virt.libvirt import nova_layout, qcow2, qemu_img
from novalike.virt.libvirt.images import CachedImage, ImageCache

LOG = logging.getLogger(__name__)

ROOT, EPHEMERAL, SWAP, CONFIG_DRIVE, RESCUE = "root", "ephemeral", "swap", "config_drive", "rescue"
_RECORD = "disks.json"
#: Which rebuild made a folder; the last file written to it.
_ATTEMPT = "rebuilt-by"
#: Folders beside a server's own: made for a rebuild, left by one, about to be removed.
_NEW, _OLD, _DOOMED = "_new", "_old", "_del"
#: Of a server which was moved: the files of its old place or size; and those which come here and are not complete.
ASIDE, INCOMING = "_resize", "_incoming"
_GIB, _MIB = 1 << 30, 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFile:
    """A disk of a server: file name in its folder, declared format, what it is for, virtual size in bytes.

    `device` is disk or cdrom, `bus` None what the image says.
    """

    name: str
    format: str
    role: str
    size: int
    device: str = "disk"
    bus: str | None = None


@dataclass(frozen=True, slots=True)
class Blank:
    """An empty disk, to be made with a file system (or as swap area)."""

    disk: DiskFile
    file_system: str
    label: str

    def make(self, path: str) -> None:
        """Make its file. Raises BuildFailed."""
        _format(path, self.disk.size, self.file_system, self.label)


class Disks:
    """Makes, finds and removes servers' files."""

    def __init__(self, instances_path: str, images: ImageCache, *, cow: bool, ephemeral_format: str = "ext4") -> None:
        self._path, self._images, self._cow, self._ephemeral_format = instances_path, images, cow, ephemeral_format
        self._direct_io: bool | None = None

    def folder(self, instance_uuid: str) -> str:
        """Answer the folder of a server, whether it exists or not."""
        return os.path.join(self._path, instance_uuid)

    def file(self, instance_uuid: str, name: str) -> str:
        """Answer the path of a server's file, whether it exists or not."""
        return os.path.join(self._path, instance_uuid, name)

    @property
    def instances_path(self) -> str:
        """Answer the folder of all servers, made if it was not there."""
        os.makedirs(self._path, exist_ok=True)
        return self._path

    @property
    def direct_io(self) -> bool:
        """Answer whether the file system can do without the page cache (O_DIRECT), which tmpfs cannot."""
        if self._direct_io is None:
            self._direct_io = _supports_direct_io(self.instances_path)
        return self._direct_io

    def make(self, request: SpawnRequest, config_drive: bytes | None, *, name: str | None = None) -> tuple[DiskFile, ...]:
        """Make all files of a new server, replacing what an earlier attempt left; in the folder `name` instead of its own.

        Raises BuildFailed.
        """
        instance = request.instance
        name = name or instance.uuid
        if any(disk.destination_type == "volume" and disk.boot_index == 0 for disk in request.block_devices):
            raise BuildFailed("This hypervisor cannot boot from volumes yet.", retry=False)
        root, kernel, ramdisk = self._fetch(request)
        self._remove(name)
        folder = self.folder(name)
        try:
            os.makedirs(folder, mode=0o711, exist_ok=True)
            for kind, boot_file in (("kernel", kernel), ("ramdisk", ramdisk)):
                if boot_file is not None:
                    link(boot_file.path, os.path.join(folder, kind))
            disks = [self._root(folder, instance, root, request.image.disk_format)] if root and request.image else []
            disks += self._blanks(folder, request)
            if config_drive is not None:
                store(os.path.join(folder, "disk.config"), config_drive)
                disks.append(DiskFile(name="disk.config", format="raw", role=CONFIG_DRIVE, size=len(config_drive), device="cdrom"))
            store(os.path.join(folder, _RECORD), json.dumps([asdict(disk) for disk in disks]).encode())
        except OSError as error:
            raise BuildFailed("The server's disks could not be made.", details=str(error)) from error
        except BuildFailed:
            raise
        except NovalikeError as error:
            raise BuildFailed("The server's disks could not be made.", details=error.details or str(error)) from error
        return tuple(disks)

    def existing(self, instance_uuid: str) -> tuple[DiskFile, ...]:
        """Answer the disks which a server has here, Nova's too if it made them. Raises NotFound."""
        try:
            with open(self.file(instance_uuid, _RECORD), "rb") as file:
                return tuple(DiskFile(**record) for record in json.load(file))
        except FileNotFoundError:
            return tuple(self._of_nova(instance_uuid, *disk) for disk in nova_layout.disks(self.folder(instance_uuid)))
        except (OSError, ValueError, TypeError) as error:
            raise NotFound("The server has no disks on this host.", details=str(error)) from error

    def _of_nova(self, instance_uuid: str, name: str, file_format: str, size: int) -> DiskFile:
        role = {nova_layout.ROOT: ROOT, nova_layout.SWAP: SWAP, nova_layout.CONFIG: CONFIG_DRIVE}.get(name, EPHEMERAL)
        cdrom = role == CONFIG_DRIVE and nova_layout.is_iso(self.file(instance_uuid, name))
        return DiskFile(name=name, format=file_format, role=role, size=size, device="cdrom" if cdrom else "disk")

    def remove(self, instance_uuid: str) -> None:
        """Remove a server's folders. Fine when there are none; images of the cache stay."""
        for suffix in (_NEW, _OLD, ASIDE, INCOMING, ""):
            self._remove(f"{instance_uuid}{suffix}")

    def _remove(self, name: str) -> None:
        folder = self.folder(name)
        doomed = f"{folder}{_DOOMED}"                    # renamed first: half a folder must never look like a server's
        _wipe(doomed)
        with contextlib.suppress(FileNotFoundError):
            os.rename(folder, doomed)
        _wipe(doomed)

    # ---- a move: the disks are put aside until it is confirmed or reverted

    def is_aside(self, instance_uuid: str) -> bool:
        """Answer whether a server's files were put aside here."""
        return os.path.isdir(self.folder(f"{instance_uuid}{ASIDE}"))

    def put_aside(self, instance_uuid: str) -> None:
        """Put a server's files aside. Fine when they are. Raises NotFound."""
        if not self.is_aside(instance_uuid):
            self.existing(instance_uuid)
            os.rename(self.folder(instance_uuid), self.folder(f"{instance_uuid}{ASIDE}"))

    def take_back(self, instance_uuid: str) -> None:
        """Put files which are aside in the place of whatever is there."""
        self._remove(f"{instance_uuid}{INCOMING}")
        self._remove(instance_uuid)
        os.rename(self.folder(f"{instance_uuid}{ASIDE}"), self.folder(instance_uuid))

    def drop_aside(self, instance_uuid: str) -> None:
        """Remove files which are aside. Fine when there are none."""
        self._remove(f"{instance_uuid}{ASIDE}")

    def begin_incoming(self, instance_uuid: str) -> str:
        """Make an empty folder for files which come here; answer its name."""
        name = f"{instance_uuid}{INCOMING}"
        self._remove(name)
        os.makedirs(self.folder(name), mode=0o711)
        return name

    def end_incoming(self, instance_uuid: str, disks: list[DiskFile]) -> None:
        """All files came: they are the server's from now on."""
        name = f"{instance_uuid}{INCOMING}"
        store(self.file(name, _RECORD), json.dumps([asdict(disk) for disk in disks]).encode())
        self._remove(instance_uuid)
        os.rename(self.folder(name), self.folder(instance_uuid))

    # ---- a rebuild: new files beside the old ones, which then change places

    def prepare(self, request: SpawnRequest, config_drive: bytes | None, attempt: str) -> str:
        """Make the files of a rebuild; answer their folder, which is the server's own if they are in place already."""
        uuid = request.instance.uuid
        new = f"{uuid}{_NEW}"
        if self._attempt(uuid) == attempt:
            return self.folder(uuid)
        if self._attempt(new) != attempt:
            self.make(request, config_drive, name=new)
            store(self.file(new, _ATTEMPT), attempt.encode())
        return self.folder(new)

    def replace(self, instance_uuid: str, attempt: str) -> None:
        """Put the files of a rebuild in place and remove the old ones. Fine when that was done. Raises NotFound."""
        folder, new, old = (self.folder(f"{instance_uuid}{suffix}") for suffix in ("", _NEW, _OLD))
        if self._attempt(instance_uuid) != attempt:
            if self._attempt(f"{instance_uuid}{_NEW}") != attempt:
                raise NotFound("No new disks are prepared for the server.")
            if os.path.isdir(folder):                    # else an earlier call came so far
                self._remove(f"{instance_uuid}{_OLD}")
                os.rename(folder, old)
            os.rename(new, folder)
        self._remove(f"{instance_uuid}{_OLD}")

    def abandon(self, instance_uuid: str, attempt: str) -> bool:
        """Remove the files of a rebuild unless they are in place; answer whether the old ones are."""
        if self._attempt(instance_uuid) == attempt:
            return False
        folder, old = self.folder(instance_uuid), self.folder(f"{instance_uuid}{_OLD}")
        if not os.path.isdir(folder) and os.path.isdir(old):
            os.rename(old, folder)
        self._remove(f"{instance_uuid}{_NEW}")
        return os.path.isdir(folder)

    def _attempt(self, name: str) -> str | None:
        try:
            with open(self.file(name, _ATTEMPT), encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def clean_images(self, *, unused_for: float) -> int:
        """Remove images of the cache on which no disk of any folder here is based, and which nobody asked for in so many
        seconds; answer how many: none when folders came, went or were renamed while this looked.
        """
        before = os.stat(self.instances_path).st_mtime_ns
        bases = self._bases()
        if os.stat(self.instances_path).st_mtime_ns != before:     # a disk which was moved meanwhile may have been overlooked
            LOG.info("Images are kept until the next look: servers' folders changed during this one")
            return 0
        return self._images.clean(used=bases, unused_for=unused_for)

    def _bases(self) -> set[str]:
        """Answer the files on which disks are based, of servers and of whatever else lies beside them (copies, disks put aside)."""
        found = set()
        for folder, folders, names in os.walk(self.instances_path):
            if self._images.is_at(folder):
                folders.clear()
                continue
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    base = qcow2.backing(path) if os.path.isfile(path) else None
                    if base is not None:
                        found.add(os.path.realpath(os.path.join(folder, base.path)))
        return found

    def leftovers(self, instance_uuid: str) -> tuple[str, ...]:
        """Answer the paths of a server's files which still exist."""
        found = []
        own = self.folder(instance_uuid)
        for folder in (f"{own}{suffix}{state}" for suffix in ("", _NEW, _OLD, ASIDE, INCOMING) for state in ("", _DOOMED)):
            if os.path.isdir(folder):
                found += [folder, *(os.path.join(folder, name) for name in sorted(os.listdir(folder)))]
        return tuple(found)

    def unallocated(self) -> int:
        """Answer the bytes which all disks here may still come to need beyond what they occupy now."""
        missing = 0
        for entry in os.scandir(self.instances_path):
            with contextlib.suppress(NotFound, OSError):
                for disk in self.existing(entry.name):
                    missing += max(0, disk.size - os.stat(self.file(entry.name, disk.name)).st_blocks * 512)
        return missing

    def _fetch(self, request: SpawnRequest) -> tuple[CachedImage | None, CachedImage | None, CachedImage | None]:
        root_gb = request.instance.flavor.root_gb
        root = self._images.ensure(request.image, largest=root_gb * _GIB or None) if request.image else None
        kernel = self._images.ensure(request.kernel) if request.kernel else None
        ramdisk = self._images.ensure(request.ramdisk) if request.ramdisk else None
        if root is None and kernel is None:
            raise BuildFailed("The server has neither an image nor a kernel to boot from.", retry=False)
        return root, kernel, ramdisk

    def _root(self, folder: str, instance: Instance, image: CachedImage, disk_format: str) -> DiskFile:
        path = os.path.join(folder, "disk")
        if disk_format == "iso":
            link(image.path, path)
            return DiskFile(name="disk", format="raw", role=ROOT, size=image.virtual_size, device="cdrom")
        size = instance.flavor.root_gb * _GIB or image.virtual_size
        return DiskFile(name="disk", format=self.disk_of(image, path, size), role=ROOT, size=size)

    def disk_of(self, image: CachedImage, path: str, size: int) -> str:
        """Make a disk of `size` bytes from an image; answer its format. Raises NovalikeError."""
        if self._cow:
            qemu_img.create(path, size=size, backing=image.path, backing_format=image.format)
        else:
            qemu_img.convert(image.path, image.format, path, "raw")
            os.truncate(path, max(size, os.path.getsize(path)))
        os.chmod(path, 0o600)
        return "qcow2" if self._cow else "raw"

    def _blanks(self, folder: str, request: SpawnRequest) -> list[DiskFile]:
        blanks = self.blanks(request)
        for blank in blanks:
            blank.make(os.path.join(folder, blank.disk.name))
        return [blank.disk for blank in blanks]

    def blanks(self, request: SpawnRequest) -> list[Blank]:
        """Answer the ephemeral and swap disks: those which are listed, or what the flavor has where none are."""
        flavor = request.instance.flavor
        listed = [disk for disk in request.block_devices if disk.source_type == "blank" and disk.destination_type == "local"]
        ephemerals = [(disk.size_gb or 0, disk.guest_format) for disk in listed if disk.guest_format != "swap"]
        swap_mb = sum((disk.size_gb or 0) * 1024 for disk in listed if disk.guest_format == "swap") or flavor.swap_mb
        if not ephemerals and flavor.ephemeral_gb:
            ephemerals = [(flavor.ephemeral_gb, None)]
        blanks = [
            Blank(
                DiskFile(name=f"disk.eph{number}", format="raw", role=EPHEMERAL, size=size_gb * _GIB),
                wanted or self._ephemeral_format, f"ephemeral{number}",
            ) for number, (size_gb, wanted) in enumerate(ephemerals)
        ]
        if swap_mb:
            blanks.append(Blank(DiskFile(name="disk.swap", format="raw", role=SWAP, size=swap_mb * _MIB), "swap", "swap"))
        return blanks


def _format(path: str, size: int, file_system: str, label: str) -> None:
    """Make a sparse file with a file system (or swap area) on it. Raises BuildFailed."""
    commands = {
        "ext2": ["mke2fs", "-q", "-F", "-t", "ext2", "-L", label], "ext3": ["mke2fs", "-q", "-F", "-t", "ext3", "-L", label],
        "ext4": ["mke2fs", "-q", "-F", "-t", "ext4", "-L", label], "xfs": ["mkfs.xfs", "-q", "-f", "-L", label],
        "swap": ["mkswap", "-L", label],
    }
    if file_system not in commands:
        raise BuildFailed(f"This hypervisor cannot make a {file_system} file system.", retry=False)
    store(path, b"")
    os.truncate(path, size)
    try:
        subprocess.run(
            [*commands[file_system], path], check=True, capture_output=True, timeout=120,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildFailed("The server's additional disks could not be made.", details=str(error)) from error


def link(source: str, target: str) -> None:
    """Share a read-only file of the cache, so that cleaning the cache cannot take it away; copy across file systems."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        shutil.copyfile(source, target)


def store(path: str, content: bytes) -> None:
    """Write a file which only its owner may read; libvirt gives it to QEMU's user where that is another."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _wipe(folder: str) -> None:
    if os.path.isdir(folder):
        native(shutil.rmtree, folder, True)              # the unlink of a large file takes its time
        if os.path.isdir(folder):
            raise NovalikeError("The server's files could not be removed.", details=folder)


def _supports_direct_io(folder: str) -> bool:
    path = os.path.join(folder, ".direct-io-test")
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_DIRECT, 0o600)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    else:
        os.close(descriptor)
        return True
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
