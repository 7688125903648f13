"""What a compute host can be asked to do; one class per file of novalike/compute/."""

from __future__ import annotations

from novalike.context import RequestContext
from novalike.objects.console import ConsoleAddress, ConsoleRoute
from novalike.objects.device_tasks import InterfaceOrder, VolumeOrder
from novalike.objects.diagnostics import Diagnostics
from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.objects.move_tasks import ArriveOrder, DropAsideOrder, FetchOrder, MoveOutOrder, PutBackOrder
from novalike.objects.password import PasswordOrder
from novalike.objects.rebuild import RebuildOrder
from novalike.objects.rescue import RescueOrder
from novalike.objects.snapshot_tasks import CopyOrder, DiscardOrder, UploadOrder
from novalike.objects.tasks import ActionOrder, BuildOrder, DestroyOrder
from novalike.rpc.engine import Interface, call, cast

TOPIC = "compute"


class Build(Interface):
    """Build servers on this host, and remove them from it."""

    topic, version = TOPIC, "1.0"

    @cast()
    def build(self, ctxt: RequestContext, *, order: BuildOrder) -> None:
        """Fetch, plug and start; the end is reported by Tasks.report."""

    @cast()
    def destroy(self, ctxt: RequestContext, *, order: DestroyOrder) -> None:
        """Remove every piece; reported by Tasks.report, also when there was nothing."""


class Lifecycle(Interface):
    """Power a server on and off."""

    topic, version = TOPIC, "1.0"

    @cast()
    def act(self, ctxt: RequestContext, *, order: ActionOrder) -> None:
        """Do a single-host action; reported by HostReports.action_done."""


class Console(Interface):
    """Look at a server."""

    topic, version = TOPIC, "1.1"

    @call(timeout=30)
    def console_output(self, ctxt: RequestContext, *, instance: Instance, tail: int | None = None) -> str:
        """Answer the last `tail` lines (None: all that is kept) of the serial console."""

    @call(since="1.1", timeout=30)
    def console(self, ctxt: RequestContext, *, instance: Instance, console_type: str) -> ConsoleAddress:
        """Answer where a console (a ConsoleType) of a guest is. Raises Invalid for a type which the host or the guest has not,
        NotFound for a guest which is not there."""

    @call(since="1.1", timeout=30)
    def open_console(self, ctxt: RequestContext, *, instance_uuid: str, console_type: str) -> ConsoleRoute:
        """Let a console proxy in, once. Raises as `console` does, and Conflict while the guest does not run."""


class ImageCaching(Interface):
    """Have images on the host before a server needs them."""

    topic, version = TOPIC, "1.0"

    @cast()
    def cache_image(self, ctxt: RequestContext, *, source: ImageSource) -> None:
        """Fetch an image into the host's cache when its turn comes. Nothing is reported; fine when it is there."""


class Devices(Interface):
    """Change a running guest's devices. Guests which do not run get theirs when they start: then all of it is fine as it is."""

    topic, version = TOPIC, "1.0"

    @cast()
    def attach_interface(self, ctxt: RequestContext, *, order: InterfaceOrder) -> None:
        """Plug a port; reported by Tasks.report, as are the others."""

    @cast()
    def detach_interface(self, ctxt: RequestContext, *, order: InterfaceOrder) -> None:
        """Unplug a port, when its guest lets go of it."""

    @cast()
    def attach_volume(self, ctxt: RequestContext, *, order: VolumeOrder) -> None:
        """Plug a volume."""

    @cast()
    def detach_volume(self, ctxt: RequestContext, *, order: VolumeOrder) -> None:
        """Unplug a volume, when its guest lets go of it."""

    @cast()
    def swap_volume(self, ctxt: RequestContext, *, order: VolumeOrder) -> None:
        """Copy a volume to its replacement while the guest runs, and let the guest go on with that."""

    @call(timeout=60)
    def diagnostics(self, ctxt: RequestContext, *, instance: Instance) -> Diagnostics:
        """Answer what is counted of a guest. Raises NotFound, Conflict while it does not run."""


class Rebuild(Interface):
    """Give a server new disks, in phases; each is reported by Tasks.report."""

    topic, version = TOPIC, "1.0"

    @cast()
    def prepare(self, ctxt: RequestContext, *, order: RebuildOrder) -> None:
        """Fetch the image and make the new disks beside the old ones. Nothing of the server is touched."""

    @cast()
    def replace(self, ctxt: RequestContext, *, order: RebuildOrder) -> None:
        """Shut the guest down and put the new disks in the place of the old ones."""

    @cast()
    def spawn(self, ctxt: RequestContext, *, order: RebuildOrder) -> None:
        """Define the guest anew, and start it if the order says so."""

    @cast()
    def abandon(self, ctxt: RequestContext, *, order: RebuildOrder) -> None:
        """Let the server be as it was if its disks are still the old ones; the outcome is dirty when they are not."""


class Rescue(Interface):
    """Boot a server from a rescue image. Going back is the single-host action unrescue."""

    topic, version = TOPIC, "1.0"

    @cast()
    def rescue(self, ctxt: RequestContext, *, order: RescueOrder) -> None:
        """Fetch the image, shut the guest down and boot it; reported by Tasks.report."""

    @cast()
    def abandon(self, ctxt: RequestContext, *, order: RescueOrder) -> None:
        """Let the server be as it was before a rescue that failed; reported by Tasks.report."""


class GuestPasswords(Interface):
    """Change passwords in guests."""

    topic, version = TOPIC, "1.0"

    @cast()
    def set_password(self, ctxt: RequestContext, *, order: PasswordOrder) -> None:
        """Have the guest's agent do it; reported by Tasks.report."""


class Snapshots(Interface):
    """Copy servers' disks and send the copies to the image service; each is reported by Tasks.report."""

    topic, version = TOPIC, "1.0"

    @cast()
    def copy(self, ctxt: RequestContext, *, order: CopyOrder) -> None:
        """Make a flat, consistent copy of the root disk; the outcome's result tells its disk_format."""

    @cast()
    def upload(self, ctxt: RequestContext, *, order: UploadOrder) -> None:
        """Send the copy, then remove it."""

    @cast()
    def discard(self, ctxt: RequestContext, *, order: DiscardOrder) -> None:
        """Remove the copy, half-made or whole."""


class Moves(Interface):
    """Move a server to another host, or to another size on the same one. Every end is reported by Tasks.report."""

    topic, version = TOPIC, "1.0"

    @cast()
    def move_out(self, ctxt: RequestContext, *, order: MoveOutOrder) -> None:
        """Stop it and put its disks aside; the result's `offer` is for the destination."""

    @cast()
    def fetch(self, ctxt: RequestContext, *, order: FetchOrder) -> None:
        """Make its disks here of those which the source put aside."""

    @cast()
    def arrive(self, ctxt: RequestContext, *, order: ArriveOrder) -> None:
        """Define it here, and start it if it is to run."""

    @cast()
    def put_back(self, ctxt: RequestContext, *, order: PutBackOrder) -> None:
        """Take back what was put aside here."""

    @cast()
    def drop_aside(self, ctxt: RequestContext, *, order: DropAsideOrder) -> None:
        """Remove what was put aside here; the server stays."""


class Host(Interface):
    """Ask a host to look after itself now instead of at its next interval."""

    topic, version = TOPIC, "1.0"

    @cast()
    def refresh(self, ctxt: RequestContext) -> None:
        """Send inventory and a heartbeat at once; a conductor asks it of hosts it has no inventory of."""
