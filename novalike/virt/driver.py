"""What a hypervisor driver does: one narrow interface, and a small Protocol per capability a driver may lack.

Drivers know nothing of tasks, fences or messages: compute/ wraps every call in those. Every method may be called again
after a crash and must then find and finish (or tolerate) what is already there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, runtime_checkable

from novalike.objects.block_device import BlockDevice
from novalike.objects.console import ConsolePorts
from novalike.objects.console import Protocol as ConsoleProtocol
from novalike.objects.diagnostics import Diagnostics
from novalike.objects.host import HostUsage, Inventory
from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A guest the hypervisor knows, whoever made it."""

    uuid: str
    name: str
    power_state: PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnRequest:
    """Everything a driver needs to make a guest."""

    instance: Instance
    vifs: tuple[Vif, ...]
    block_devices: tuple[BlockDevice, ...] = ()
    image: ImageSource | None = None
    kernel: ImageSource | None = None
    ramdisk: ImageSource | None = None
    admin_password: Secret | None = None
    files: tuple[tuple[str, str], ...] = ()
    paused: bool = False                         # spawned, its CPUs stand still (PAUSED) until it is unpaused


PowerListener = Callable[[str, PowerState], None]  # instance uuid, new power state


class Driver(Protocol):
    """A hypervisor. Raises BuildFailed from spawn, NotFound for guests it does not know, NovalikeError otherwise."""

    def start(self, listener: PowerListener) -> None:
        """Connect, and from now on call `listener` when a guest's power state changes."""
        ...

    def stop(self) -> None:
        """Disconnect; guests go on."""
        ...

    def inventory(self) -> Inventory:
        """Answer what this host has. `uuid` and `rpc_version` are filled in by the caller."""
        ...

    def usage(self) -> HostUsage:
        """Answer what is in use now."""
        ...

    def spawn(self, request: SpawnRequest) -> str | None:
        """Make the guest and start it; answer its root device name. Replaces a half-made guest of the same uuid."""
        ...

    def destroy(self, instance_uuid: str, instance_name: str, vifs: tuple[Vif, ...]) -> None:
        """Stop the guest and remove domain, disks, taps and logs. Fine when there is nothing."""
        ...

    def power_on(self, request: SpawnRequest) -> None:
        """Start a stopped guest, its definition made anew from our data. Fine when it runs."""
        ...

    def power_off(self, instance_uuid: str, *, timeout: int, retry_interval: int = 10) -> None:
        """Ask the guest to shut down, repeat the signal, and cut its power after `timeout` seconds (0: at once)."""
        ...

    def reboot(self, request: SpawnRequest, *, hard: bool, timeout: int) -> None:
        """Restart the guest; soft falls back to hard after `timeout` seconds."""
        ...

    def power_state(self, instance_uuid: str) -> PowerState:
        """Answer the guest's power state; NOSTATE when it does not exist."""
        ...

    def console_output(self, instance_uuid: str, tail: int | None, limit: int) -> bytes:
        """Answer the last `tail` lines of the console, at most `limit` bytes. Raises NotFound, NotBuilt."""
        ...

    def guests(self) -> tuple[Guest, ...]:
        """Answer all guests on this host."""
        ...


@runtime_checkable
class Leftovers(Protocol):
    """A driver which can tell what pieces of an instance remain (for the checker of tests and `novalike-manage`)."""

    def leftovers(self, instance_uuid: str) -> tuple[str, ...]:
        """Answer names of files, taps and domains which still exist."""
        ...


@runtime_checkable
class Suspending(Protocol):
    """A driver which can stop a guest's clock, and put its memory away. All raise NotFound for guests it does not know."""

    def pause(self, instance_uuid: str) -> None:
        """Stop the guest's CPUs; its memory stays. Fine when it is paused."""
        ...

    def unpause(self, instance_uuid: str) -> None:
        """Let a paused guest go on. Fine when it runs."""
        ...

    def suspend(self, instance_uuid: str) -> None:
        """Save the guest's memory to disk and stop it. Fine when that was done."""
        ...

    def resume(self, request: SpawnRequest) -> None:
        """Let a suspended guest go on where it was; start it afresh when its memory is lost. Fine when it runs."""
        ...


@runtime_checkable
class CrashDumps(Protocol):
    """A driver which can make a guest dump its memory."""

    def inject_nmi(self, instance_uuid: str) -> None:
        """Send the guest a non-maskable interrupt. Raises NotFound, Conflict when it does not run."""
        ...


@runtime_checkable
class Consoles(Protocol):
    """A driver whose guests have consoles to look and type at."""

    def console_ports(self, instance_uuid: str, protocol: ConsoleProtocol) -> ConsolePorts | None:
        """Answer where a guest's console listens now; None when it has none of this kind. Raises NotFound."""
        ...


@runtime_checkable
class PluggableInterfaces(Protocol):
    """A driver which changes ports of running guests. A guest which does not run is left as it is: its start says all."""

    def attach_interface(self, instance: Instance, vif: Vif) -> None:
        """Plug a port. Fine when it is plugged. Raises NovalikeError."""
        ...

    def detach_interface(self, instance: Instance, vif: Vif) -> None:
        """Unplug a port, waiting for the guest. Fine when it is not there. Raises NovalikeError when the guest keeps it."""
        ...


@runtime_checkable
class PluggableVolumes(Protocol):
    """A driver which changes volumes of running guests. A guest which does not run is left as it is: its start says all.

    Devices come with their connections and keep their uuid when their volume changes.
    """

    def attach_volume(self, instance: Instance, device: BlockDevice) -> None:
        """Plug a volume. Fine when it is plugged. Raises NovalikeError."""
        ...

    def detach_volume(self, instance: Instance, device: BlockDevice) -> None:
        """Unplug a volume, waiting for the guest. Fine when it is not there. Raises NovalikeError when the guest keeps it."""
        ...

    def swap_volume(self, instance: Instance, device: BlockDevice, replacement: BlockDevice) -> None:
        """Copy a volume to another one and let the guest go on with that. Fine when it does already. Raises NovalikeError."""
        ...


@runtime_checkable
class Diagnosing(Protocol):
    """A driver which counts what its guests do."""

    def diagnostics(self, instance: Instance) -> Diagnostics:
        """Answer what is counted of a guest. Raises NotFound, Conflict when it does not run."""
        ...


@runtime_checkable
class Rebuilder(Protocol):
    """A driver which can give a guest new disks. `attempt` tells one rebuild from another; all may be called again."""

    def prepare_rebuild(self, request: SpawnRequest, *, attempt: str, preserve_ephemeral: bool) -> None:
        """Fetch the image and make new disks beside the old ones, which stay in use. Raises BuildFailed, NovalikeError."""
        ...

    def replace_disks(self, instance_uuid: str, *, attempt: str) -> None:
        """Put the prepared disks in the place of those of a guest which is off, and forget its definition.

        Fine when that was done. Raises NotFound when nothing is prepared.
        """
        ...

    def start_rebuilt(self, request: SpawnRequest, *, start: bool) -> str | None:
        """Define the guest anew and start it, if so wanted; answer its root device name. Fine when it runs."""
        ...

    def abandon_rebuild(self, instance_uuid: str, *, attempt: str) -> bool:
        """Remove what was prepared; answer whether the guest has its old disks still."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueRequest:
    """What a guest in need is booted from. `properties` are the rescue image's; `attempt` tells one rescue from another."""

    guest: SpawnRequest
    attempt: str
    image: ImageSource
    kernel: ImageSource | None = None
    ramdisk: ImageSource | None = None
    properties: dict[str, str] = field(default_factory=dict)
    admin_password: Secret | None = None


@runtime_checkable
class Rescuer(Protocol):
    """A driver which can boot a guest from another disk than its own. Both may be called again."""

    def prepare_rescue(self, request: RescueRequest) -> bool:
        """Fetch the image and make the rescue disk; the guest goes on. Raises BuildFailed, NovalikeError.

        Answers whether the guest runs from it already.
        """
        ...

    def rescue(self, request: RescueRequest) -> None:
        """Boot the guest from the prepared rescue disk; its own follow it, or stay where they are (stable rescue)."""
        ...

    def unrescue(self, request: SpawnRequest, *, start: bool) -> None:
        """Give the guest its own disks back, and boot from them if so wanted. One that is not rescued is left as it is."""
        ...


@runtime_checkable
class PasswordSetter(Protocol):
    """A driver which can change passwords inside a guest."""

    def set_password(self, instance_uuid: str, user: str, password: Secret) -> None:
        """Raises NotFound, Conflict when the guest does not run, NovalikeError when nobody in it obeys."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskCopy:
    """A copy of a guest's root disk: how it is to be declared, and how many bytes its file has."""

    disk_format: str
    size: int


@runtime_checkable
class Copier(Protocol):
    """A driver which can copy a guest's root disk. Copies are known by the id of the image they become."""

    def copy_disk(self, instance: Instance, image_id: str, *, go_on: Callable[[], None]) -> DiskCopy:
        """Make a flat and consistent copy, whatever the guest does meanwhile; in the place of an earlier one of the same id.

        Calls `go_on` now and then, and stops when that raises. Raises NotFound; NovalikeError also when the image demands file
        systems at rest (os_require_quiesce) and the guest's agent does not see to that.
        """
        ...

    def open_copy(self, instance_uuid: str, image_id: str) -> BinaryIO:
        """Open a complete copy for reading. Raises NotFound."""
        ...

    def discard_copy(self, instance_uuid: str, image_id: str) -> None:
        """Remove a copy, and end what making it may have left in the guest. Fine when there is none."""
        ...

    def end_copies(self, instance_uuid: str) -> None:
        """End what copying, interrupted by the daemon's death, left in the guest. Fine when there is nothing."""
        ...

    def settle_copies(self, *, older_than: float, busy: Callable[[str], bool]) -> int:
        """Remove copies which nobody asked for in so many seconds, except those of busy instances; answer how many."""
        ...


@runtime_checkable
class ImageCaching(Protocol):
    """A driver which keeps images on the host."""

    def clean_image_cache(self, *, unused_for: float) -> int:
        """Remove images on which no disk here is based and which nobody asked for in so many seconds; answer how many."""
        ...


@runtime_checkable
class ImageFetcher(Protocol):
    """A driver which can have an image on its host before a server needs it."""

    def cache_image(self, source: ImageSource) -> None:
        """Fetch an image into the host's cache. Fine when it is there. Raises BuildFailed."""
        ...


@runtime_checkable
class Movable(Protocol):
    """A driver which can hand a server over to another host's driver of its kind, or to another size on its own.

    A server's disks are put aside by `move_out` and stay so until `put_back`, `drop_aside` or `destroy`, which removes them too.
    """

    def move_out(
        self, instance: Instance, *, timeout: int, retry_interval: int = 10, ticket: Secret | None = None, ticket_seconds: int = 0,
    ) -> str:
        """Stop the guest (as power_off) and put its disks aside; answer what `fetch` needs to know of them.

        Whoever shows `ticket` may fetch them for so many seconds. Fine when they are aside already. Raises NotFound.
        """
        ...

    def fetch(
        self, request: SpawnRequest, offer: str, *, ticket: Secret | None, local: bool, go_on: Callable[[], None],
    ) -> None:
        """Make the disks of a guest, in its flavor's sizes, of those which another host (or with `local` this one) put aside.

        Fine when they are made. `go_on` is called now and then and raises when the work is not wanted any more. Raises
        BuildFailed, which says whether another host may fare better.
        """
        ...

    def arrive(self, request: SpawnRequest, *, power_on: bool) -> None:
        """Define a guest whose disks were fetched, and start it if it is to run. Fine when that is done. Raises BuildFailed."""
        ...

    def put_back(self, request: SpawnRequest, *, power_on: bool) -> None:
        """Take disks which were put aside for the guest's own again, dropping what took their place; start it if it is to run.

        Fine when nothing is aside. Raises NotFound when there is no such guest, NovalikeError.
        """
        ...

    def drop_aside(self, instance_uuid: str) -> None:
        """Remove disks which were put aside; the guest and its own disks stay. Fine when there are none."""
        ...
