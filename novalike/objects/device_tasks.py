"""Attaching and detaching ports and volumes: what the tasks save, and what hosts are ordered to do."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.network_info import RequestedNetwork, Vif
from novalike.objects.tasks import Fence

ATTACH_INTERFACE, DETACH_INTERFACE = "attach_interface", "detach_interface"
ATTACH_VOLUME, DETACH_VOLUME, SWAP_VOLUME = "attach_volume", "detach_volume", "swap_volume"
#: Kinds of task which change a server's devices and nothing else: who wants the next change waits for them.
DEVICE_KINDS = frozenset({ATTACH_INTERFACE, DETACH_INTERFACE, ATTACH_VOLUME, DETACH_VOLUME, SWAP_VOLUME})


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachInterfaceState:
    """`nic` is the new port's place, above those of all others. `ordered` says that the host may have plugged it."""

    requested: RequestedNetwork
    nic: int
    vif: Vif | None = None
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachInterfaceState:
    """`ordered` says that the host may have unplugged it."""

    vif: Vif
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachVolumeState:
    """The device was stored when the task was accepted, so that the API shows it. No connection is ever saved here."""

    device: BlockDevice
    attachment_id: str | None = None
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachVolumeState:
    """`device` as it was when the task was accepted."""

    device: BlockDevice
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapVolumeState:
    """`device` holds the old volume. `swapped`: the guest works on the new one, and there is no way back."""

    device: BlockDevice
    new_volume_id: str
    new_attachment_id: str | None = None
    ordered: bool = False
    swapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceOrder:
    """Plug a port into a running guest, or unplug it. Deadline in seconds."""

    fence: Fence
    instance: Instance
    vif: Vif
    deadline: int = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeOrder:
    """Plug a volume into a running guest, unplug it, or (with `replacement`) copy it to another one beneath the guest.

    What is to be plugged carries its connection. Deadline in seconds.
    """

    fence: Fence
    instance: Instance
    device: BlockDevice
    replacement: BlockDevice | None = None
    deadline: int = 120
