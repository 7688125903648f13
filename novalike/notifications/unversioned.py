"""Payloads of unversioned notifications: one flat dictionary per server, as Ceilometer has read it since Nova's first years."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from novalike.objects.instance import Instance
from novalike.objects.notification import Failure, Sight


def instance(
    sight: Sight, *, image_url: str = "", failure: Failure | None = None, extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Answer the payload of something that is done to a server. `image_url` is the image API's."""
    server = sight.instance
    payload = _info(server, image_url)
    payload["fixed_ips"] = _fixed_ips(server)
    if failure is not None:
        payload |= {"exception": failure.exception, "message": failure.message, "code": 500}
    return payload | dict(extra or {})


def update(
    sight: Sight, before: Instance | None, *, image_url: str = "", period: tuple[datetime, datetime],
) -> dict[str, Any]:
    """Answer the payload of compute.instance.update; `before` None: the server is new."""
    server = sight.instance
    payload = _info(server, image_url) | {
        "old_state": before.vm_state if before else None, "state": server.vm_state,
        "old_task_state": before.task_state if before else None, "new_task_state": server.task_state,
        **usage(period), "bandwidth": {},
    }
    if before is not None and before.display_name != server.display_name:
        payload["old_display_name"] = before.display_name
    return payload


def usage(period: tuple[datetime, datetime]) -> dict[str, Any]:
    """Answer the fields which name a period of usage."""
    return {"audit_period_beginning": _time(period[0]), "audit_period_ending": _time(period[1])}


def _info(server: Instance, image_url: str) -> dict[str, Any]:
    flavor = server.flavor
    return {
        "tenant_id": server.project_id, "user_id": server.user_id, "instance_id": server.uuid,
        "display_name": server.display_name, "reservation_id": server.reservation_id, "hostname": server.hostname,
        "instance_type": flavor.name, "instance_type_id": flavor.id, "instance_flavor_id": flavor.flavorid,
        "architecture": server.architecture, "memory_mb": flavor.memory_mb, "disk_gb": flavor.root_gb + flavor.ephemeral_gb,
        "vcpus": flavor.vcpus, "root_gb": flavor.root_gb, "ephemeral_gb": flavor.ephemeral_gb, "host": server.host,
        "node": server.node, "availability_zone": server.availability_zone, "cell_name": "",
        "created_at": f"{server.created_at:%Y-%m-%d %H:%M:%S}+00:00" if server.created_at else "",
        "terminated_at": _time(server.terminated_at), "deleted_at": _time(server.terminated_at if server.deleted else None),
        "launched_at": _time(server.launched_at),
        "image_ref_url": f"{image_url.rstrip('/')}/images/{server.image_ref}" if server.image_ref else server.image_ref,
        "os_type": server.os_type, "kernel_id": server.kernel_id, "ramdisk_id": server.ramdisk_id, "state": server.vm_state,
        "state_description": server.task_state or "", "progress": server.progress or "", "access_ip_v4": server.access_ip_v4,
        "access_ip_v6": server.access_ip_v6,
        "image_meta": {**server.image_properties, **({"base_image_ref": server.image_ref} if server.image_ref else {})},
        "metadata": dict(server.metadata),
    }


def _fixed_ips(server: Instance) -> list[dict[str, Any]]:
    return [
        {
            "address": ip.address, "type": "fixed", "version": ip.version, "meta": {}, "label": vif.label, "vif_mac": vif.mac,
            "floating_ips": [{"address": address, "type": "floating", "version": 4, "meta": {}} for address in ip.floating],
        } for vif in server.network_info for ip in vif.fixed_ips
    ]


def _time(value: datetime | None) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f") if value is not None else ""
