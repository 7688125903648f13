"""What the rescue task saves, and what it orders its host to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from novalike.objects.block_device import BlockDevice
from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.secret import Secret
from novalike.objects.tasks import Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueOrder:
    """Boot a server from a rescue image, or (without images) let it be as it was.

    `attempt` tells one rescue from another. `properties` are the rescue image's. `start`: the guest ran before.
    """

    fence: Fence
    attempt: str
    instance: Instance
    vifs: tuple[Vif, ...] = ()
    block_devices: tuple[BlockDevice, ...] = ()
    image: ImageSource | None = None
    kernel: ImageSource | None = None
    ramdisk: ImageSource | None = None
    properties: dict[str, str] = field(default_factory=dict)
    admin_password: Secret | None = None
    start: bool = True
    deadline: int = 600                          # seconds the host may take


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueState:
    """What the rescue task saves. The ids are those of the rescue image and of what boots it; empty: none."""

    image_id: str = ""
    kernel_id: str = ""
    ramdisk_id: str = ""
    encrypted_password: str | None = None        # by the Vault; gone with the task
    host: str | None = None                      # was ordered to do something
    answered: bool = False                       # the host undid a rescue that failed, or never will
    silent: bool = False                         # it did not say
