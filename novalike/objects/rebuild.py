"""What the rebuild task saves, and what it orders its host to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from novalike.objects.block_device import BlockDevice
from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.secret import Secret
from novalike.objects.tasks import Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildOrder:
    """One phase of a rebuild on the server's host; `attempt` is the same in all phases of one rebuild.

    `instance` is the server as it will be (prepare, spawn), or as it was (replace, abandon). `start`: the guest shall run
    at the end. Images, password and files come with prepare only.
    """

    fence: Fence
    attempt: str
    instance: Instance
    vifs: tuple[Vif, ...] = ()
    block_devices: tuple[BlockDevice, ...] = ()
    image: ImageSource | None = None
    kernel: ImageSource | None = None
    ramdisk: ImageSource | None = None
    admin_password: Secret | None = None
    files: tuple[tuple[str, str], ...] = ()      # personality: (path, base64 content)
    preserve_ephemeral: bool = False
    start: bool = True
    deadline: int = 600                          # seconds the host may take


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildState:
    """What the rebuild task saves between steps.

    `changes` are the fields of objects.Instance which the rebuild sets, as JSON has them. They reach the server's row with
    the new disks, so that a rebuild which fails before leaves the server as it was.
    """

    changes: dict[str, object] = field(default_factory=dict)
    image_facts: dict[str, str] = field(default_factory=dict)      # what system metadata keep of the image
    other_image: bool = False                    # the host has to be asked whether it can run it
    image_min_ram: int = 0
    encrypted_password: str | None = None        # by the Vault; gone with the task
    files: tuple[tuple[str, str], ...] = ()
    preserve_ephemeral: bool = False
    host: str | None = None                      # was ordered to do something
    replaced: bool = False                       # the old disks are gone
    answered: bool = False                       # the host said what became of a rebuild that failed, or never will
    silent: bool = False                         # it did not say
