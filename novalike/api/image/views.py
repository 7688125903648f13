"""What goes out: images and members in Glance's form. Properties stand beside the fields."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from novalike.objects.image import Image, ImageMember


def moment(time: datetime | None) -> str | None:
    """Answer a time as Glance writes it."""
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")


def image(item: Image) -> dict[str, Any]:
    path = f"/v2/images/{item.id}"
    return {
        **item.properties, "id": item.id, "name": item.name, "status": item.status, "visibility": item.visibility,
        "owner": item.owner, "disk_format": item.disk_format, "container_format": item.container_format, "size": item.size,
        "virtual_size": item.virtual_size, "min_disk": item.min_disk, "min_ram": item.min_ram, "checksum": item.checksum,
        "os_hash_algo": item.os_hash_algo, "os_hash_value": item.os_hash_value, "os_hidden": item.os_hidden,
        "protected": item.protected, "tags": list(item.tags), "created_at": moment(item.created_at),
        "updated_at": moment(item.updated_at), "self": path, "file": f"{path}/file", "schema": "/v2/schemas/image",
    }


def member(item: ImageMember) -> dict[str, Any]:
    return {
        "image_id": item.image_id, "member_id": item.member_id, "status": item.status, "created_at": moment(item.created_at),
        "updated_at": moment(item.updated_at), "schema": "/v2/schemas/member",
    }
