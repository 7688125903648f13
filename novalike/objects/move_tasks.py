"""Resize and cold migration: what the tasks save, and what the two hosts of a move are ordered to do."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.objects.block_device import BlockDevice
from novalike.objects.flavor import Flavor
from novalike.objects.hardware import Hardware
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.secret import Secret
from novalike.objects.tasks import Fence

RESIZE, CONFIRM_RESIZE, REVERT_RESIZE = "resize", "confirm_resize", "revert_resize"


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What a server was before it was moved: kept in its migration record for confirm and revert."""

    host: str
    node: str
    availability_zone: str | None
    vm_state: str
    flavor: Flavor
    auto_disk_config: bool
    hardware: Hardware | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeState:
    """What a move saves. `source_host` keeps the server's disks aside until the move is confirmed or reverted.

    `offer` is what the source told of those disks, for the destination alone. `unsettled`: the source never said that it
    took the server back.
    """

    migration_uuid: str
    source_host: str
    departure: Departure
    new_flavor: Flavor
    auto_disk_config: bool
    same_host_allowed: bool = False
    requested_host: str | None = None
    encrypted_ticket: str | None = None          # Fernet: lets the destination fetch from the source
    dest_host: str | None = None
    dest_node: str | None = None
    dest_zone: str | None = None
    dest_hardware: Hardware | None = None
    ordered_out: bool = False                    # the source may have begun to give the server up
    offer: str = ""
    vifs: tuple[Vif, ...] = ()
    attempts: int = 0
    excluded_hosts: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    dirty_hosts: tuple[str, ...] = ()            # were ordered to fetch and have not said that they cleaned up
    unsettled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmState:
    """`source_host` drops what it kept aside; it may be the host on which the server runs."""

    migration_uuid: str
    source_host: str
    flavor: Flavor                               # what the server counts for from now on
    vifs: tuple[Vif, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertState:
    """`removed`: the destination's copy is gone, and there is only the way back to the source."""

    migration_uuid: str
    source_host: str
    dest_host: str
    departure: Departure
    vifs: tuple[Vif, ...] = ()
    removed: bool = False
    looks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOutOrder:
    """Stop a server, put its disks aside and tell what they are.

    Whoever shows `ticket` may fetch them for `ticket_seconds`; without one they stay on this host.
    """

    fence: Fence
    instance: Instance
    ticket: Secret | None = None
    ticket_seconds: int = 3600
    deadline: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOrder:
    """Make a moved server's disks here, as its flavor (the new one, in `instance`) says, from what the source offers.

    `block_devices` are its local ones.
    """

    fence: Fence
    instance: Instance
    source_host: str
    offer: str
    ticket: Secret | None = None
    block_devices: tuple[BlockDevice, ...] = ()
    deadline: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ArriveOrder:
    """Define a server whose disks are here, and start it if it is to run."""

    fence: Fence
    instance: Instance
    vifs: tuple[Vif, ...]
    block_devices: tuple[BlockDevice, ...] = ()
    power_on: bool = True
    deadline: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBackOrder:
    """Take back a server whose disks were put aside here, dropping those which a move on the same host made in their place.

    Fine when they were never put aside.
    """

    fence: Fence
    instance: Instance
    vifs: tuple[Vif, ...]
    block_devices: tuple[BlockDevice, ...] = ()
    power_on: bool = True
    deadline: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class DropAsideOrder:
    """Remove the disks which a move on this same host put aside; the server itself stays as it is."""

    fence: Fence
    instance: Instance
    deadline: int = 120
