"""Images, as the compute side sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of the image service.

    `properties` are the user's and operator's free keys (hw_*, os_*, kernel_id, ramdisk_id ...); base fields never mix
    with them. Sizes: `size` and `virtual_size` in bytes, `min_disk` in GiB, `min_ram` in MiB.
    """

    id: str
    name: str | None = None
    status: str = "active"
    visibility: str = "private"
    owner: str | None = None
    container_format: str | None = None
    disk_format: str | None = None
    size: int | None = None
    virtual_size: int | None = None
    min_disk: int = 0
    min_ram: int = 0
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    os_hidden: bool = False
    protected: bool = False
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMember:
    """A project with which an image is shared; `status` is pending, accepted or rejected."""

    image_id: str
    member_id: str
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """Where a hypervisor fetches an image's bytes, for one operation.

    `url` with `headers` is a plain HTTP GET; the headers carry a signed ticket which expires (our image service), or are
    empty where the host's own service user asks Glance. `checksum` is what the bytes must hash to (`os_hash_algo`); a
    mismatch is a failed fetch. Cached on the host under `image_id`. `others` are further addresses of the same bytes, for when
    the first one does not answer.
    """

    image_id: str
    url: str
    others: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    disk_format: str
    size: int | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTarget:
    """Where a hypervisor sends an image's bytes, for one operation.

    `url` with `headers` is a plain HTTP PUT of application/octet-stream; the headers carry a signed ticket which expires (our
    image service), or are empty where the host's own service user asks Glance.
    """

    image_id: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
