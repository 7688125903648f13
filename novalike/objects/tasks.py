"""What durable tasks save, what hosts are ordered to do, and what they report back.

Every order carries a `Fence`; every write it causes is checked against it (DESIGN section 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from novalike.objects.block_device import BlockDevice
from novalike.objects.hardware import Hardware
from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.objects.network_info import RequestedNetwork, Vif
from novalike.objects.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Which attempt of which operation a message belongs to.

    `operation_id` is the task's or the action's id; `sequence` is the task's step counter (0 for actions). A host refuses
    an epoch lower than the highest it has seen for the instance, and answers a repeated (operation_id, sequence) from its
    ledger instead of running it again.
    """

    instance_uuid: str
    operation_id: str
    sequence: int
    epoch: int

    @property
    def of_task(self) -> bool:
        """Whether a durable task's step is waited for (or a debt's payment), and not a single-host action."""
        return self.sequence > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOrder:
    """All that a host needs to build a server: it has no database and asks nobody."""

    fence: Fence
    instance: Instance
    vifs: tuple[Vif, ...]
    block_devices: tuple[BlockDevice, ...] = ()
    image: ImageSource | None = None
    kernel: ImageSource | None = None
    ramdisk: ImageSource | None = None
    admin_password: Secret | None = None
    files: tuple[tuple[str, str], ...] = ()      # personality: (path, base64 content)
    paused: bool = False                         # its CPUs are to stand still until they are told to run
    deadline: int = 600                          # seconds the host may take


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyOrder:
    """Remove every piece of an instance from a host: domain, disks, taps, console log. Fine when nothing is there.

    The host keeps a tombstone of (instance, epoch) and refuses builds of that or an older epoch afterwards; with
    `tombstone` False it only refuses operations older than the fence.
    """

    fence: Fence
    instance_name: str
    vifs: tuple[Vif, ...] = ()
    tombstone: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOrder:
    """A single-host action (a key of states.ACTIONS) on a server which is on this host."""

    fence: Fence
    action: str
    instance: Instance
    vifs: tuple[Vif, ...] = ()
    block_devices: tuple[BlockDevice, ...] = ()
    deadline: int = 600
    arguments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an ordered step or action ended on a host.

    `error` None means success. `error` is text fit for users; `retry` says another host may fare better; `stale` says
    that the host refused the order as older than what it knows (nothing was done); `dirty` that a failed build may have
    left pieces there, so that it must be ordered to destroy them, or that a failed rebuild has replaced the disks.
    """

    fence: Fence
    host: str
    error: str | None = None
    details: str = ""
    retry: bool = True
    stale: bool = False
    dirty: bool = False
    power_state: int | None = None
    root_device_name: str | None = None
    result: dict[str, str] = field(default_factory=dict)    # what else an order was to find out
    started_at: float = 0.0                      # epoch seconds on the host's clock
    finished_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerChange:
    """A guest changed its power state without being ordered to (lifecycle event or power sync)."""

    instance_uuid: str
    host: str
    epoch: int
    power_state: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One per report_interval of a compute host. `running` are the fences of orders it is working on now."""

    host: str
    binary: str
    running: tuple[Fence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """Cleanup that a host owes: it was unreachable when an operation ended (DESIGN section 4.7)."""

    host: str
    instance_uuid: str
    epoch: int
    instance_name: str
    vifs: tuple[Vif, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asked for an operation: enough to act for the project later, and never a token."""

    user_id: str
    project_id: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildState:
    """What the build task saves between steps."""

    requested_networks: tuple[RequestedNetwork, ...] | None = None   # None: auto; (): none
    block_devices: tuple[BlockDevice, ...] = ()
    security_groups: tuple[str, ...] = ()
    forced_host: str | None = None
    forced_node: str | None = None
    requested_host: str | None = None
    requested_node: str | None = None
    image_min_ram: int = 0
    encrypted_password: str | None = None        # Fernet, wiped at the end
    files: tuple[tuple[str, str], ...] = ()
    attempts: int = 0
    excluded_hosts: tuple[str, ...] = ()
    host: str | None = None
    node: str | None = None
    hardware: Hardware | None = None
    vifs: tuple[Vif, ...] = ()
    dirty_hosts: tuple[str, ...] = ()            # were ordered to build and have not said that they cleaned up
    failures: tuple[str, ...] = ()               # one line per failed attempt, for the fault
    paused: bool = False                         # it was ordered with its CPUs standing still
    spawned: Outcome | None = None               # what its host reported, before its ports are waited for
    looks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteState:
    """What the delete task saves: every host which may hold a piece, and whether each is done.

    `images` go with the server; `new_images` only as long as they are not complete.
    """

    hosts: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    vifs: tuple[Vif, ...] = ()
    block_devices: tuple[BlockDevice, ...] = ()
    images: tuple[str, ...] = ()
    new_images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A durable task as leased. Times are epoch milliseconds of the database's clock."""

    id: str
    kind: str
    instance_uuid: str
    epoch: int
    sequence: int
    step: str
    undoing: bool
    state: dict[str, object]                     # the kind's state dataclass, as JSON
    caller: Caller
    deadline: int                                # of the current step
    step_since: int
    waiting_host: str | None = None
    failure: str | None = None                   # why it is undoing
    created_at: datetime | None = None
