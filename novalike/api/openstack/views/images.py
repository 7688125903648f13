"""Images as clients of 2011 saw them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request
from novalike.api.openstack.links import links
from novalike.api.openstack.views.servers import zulu
from novalike.objects.image import Image

#: The image service's states under their old names; others are UNKNOWN.
STATUS = {
    "active": "ACTIVE", "queued": "SAVING", "saving": "SAVING", "deleted": "DELETED", "pending_delete": "DELETED", "killed": "ERROR",
}
_PROGRESS = {"queued": 25, "saving": 50, "active": 100}


def brief(request: Request, image: Image, endpoint: str) -> dict[str, Any]:
    """Answer a row of the short list; `endpoint` is the image service's URL."""
    there = {"rel": "alternate", "type": "application/vnd.openstack.image", "href": f"{endpoint.rstrip('/')}/images/{image.id}"}
    return {"id": image.id, "name": image.name, "links": [*links(request, "images", image.id), there]}


def full(request: Request, image: Image, endpoint: str) -> dict[str, Any]:
    """Answer an image in detail."""
    server, disk_config = image.properties.get("instance_uuid"), image.properties.get("auto_disk_config")
    shown: dict[str, Any] = {
        **brief(request, image, endpoint), "minRam": image.min_ram, "minDisk": image.min_disk, "metadata": dict(image.properties),
        "created": zulu(image.created_at), "updated": zulu(image.updated_at or image.created_at),
        "status": STATUS.get(image.status, "UNKNOWN"), "progress": _PROGRESS.get(image.status, 0),
        "OS-EXT-IMG-SIZE:size": image.size or 0,
    }
    if server:
        shown["server"] = {"id": server, "links": links(request, "servers", server)}
    if disk_config is not None:
        shown["OS-DCF:diskConfig"] = "AUTO" if disk_config.lower() in {"true", "1", "yes", "on"} else "MANUAL"
    return shown
