"""The server, as the control plane knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from novalike.objects.flavor import Flavor
from novalike.objects.hardware import Hardware
from novalike.objects.network_info import Vif


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a server is in ERROR, in words meant for its user. `details` is shown to admins only."""

    code: int
    message: str
    created: datetime
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A server.

    `epoch` is raised by whatever takes the server over (delete, evacuate ...); messages of an older epoch are refused.
    `image_properties` are the image's properties at build time, `keypair` data is copied as well: neither changes when
    the image or the key does. Times are naive UTC.
    """

    id: int
    uuid: str
    project_id: str
    user_id: str
    display_name: str
    hostname: str
    guest_name: str | None = None               # of a guest which Nova named, where `id` says another name
    vm_state: str
    task_state: str | None = None
    power_state: int = 0
    host: str | None = None
    node: str | None = None
    availability_zone: str | None = None       # where it is
    requested_zone: str | None = None           # where its user pinned it (2.96)
    flavor: Flavor
    image_ref: str = ""
    image_properties: dict[str, str] = field(default_factory=dict)
    image_name: str | None = None
    kernel_id: str = ""
    ramdisk_id: str = ""
    key_name: str | None = None
    key_data: str | None = None
    key_type: str = "ssh"
    reservation_id: str = ""
    launch_index: int = 0
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    system_metadata: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    user_data: str | None = None                # base64, as given
    config_drive: bool = False
    auto_disk_config: bool = True
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    root_device_name: str | None = None
    root_gb: int = 0
    locked_by: str | None = None
    locked_reason: str | None = None
    security_groups: tuple[str, ...] = ("default",)
    scheduler_hints: dict[str, object] = field(default_factory=dict)
    trusted_image_certificates: tuple[str, ...] | None = None
    server_group: str | None = None
    network_info: tuple[Vif, ...] = ()
    hardware: Hardware | None = None            # what its claim says; None: any CPUs and memory, no devices
    fault: Fault | None = None
    progress: int = 0
    epoch: int = 1
    os_type: str | None = None
    architecture: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    launched_at: datetime | None = None
    terminated_at: datetime | None = None
    deleted: bool = False

    @property
    def name(self) -> str:
        """The hypervisor's name for it, from Nova's default `instance_name_template`."""
        return self.guest_name or numbered_name(self.id)


def numbered_name(number: int) -> str:
    """Answer the hypervisor's name for the server with this number."""
    return f"instance-{number:08x}"
