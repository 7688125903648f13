"""Payloads of versioned notifications: Nova's names, versions and fields, as plain data ready for JSON."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from novalike.objects.aggregate import Aggregate
from novalike.objects.block_device import BlockDevice
from novalike.objects.flavor import Flavor
from novalike.objects.host import Service
from novalike.objects.instance import Instance
from novalike.objects.keypair import Keypair
from novalike.objects.network_info import Vif
from novalike.objects.notification import Failure, Sight
from novalike.objects.server_group import ServerGroup
from novalike.objects.tasks import Caller

#: Payload -> version. Whoever changes a payload's fields changes its version, as Nova would.
VERSIONS = {
    "InstancePayload": "1.9", "InstanceActionPayload": "1.9", "InstanceActionVolumePayload": "1.7",
    "InstanceActionVolumeSwapPayload": "1.9", "InstanceCreatePayload": "1.13", "InstanceActionResizePrepPayload": "1.4",
    "InstanceUpdatePayload": "2.1", "InstanceActionRescuePayload": "1.4", "InstanceActionRebuildPayload": "1.10",
    "InstanceActionSnapshotPayload": "1.10", "InstanceExistsPayload": "2.1", "InstanceStateUpdatePayload": "1.0",
    "AuditPeriodPayload": "1.0", "IpPayload": "1.0", "BlockDevicePayload": "1.0", "FlavorPayload": "1.4", "KeypairPayload": "1.0",
    "ExceptionPayload": "1.1", "AggregatePayload": "1.1", "ServerGroupPayload": "1.1", "ServiceStatusPayload": "1.1",
}
#: Fields which one event has beside those of every instance action, as their operations name them.
EXTRAS = {
    "InstanceActionVolumePayload": ("volume_id",), "InstanceActionVolumeSwapPayload": ("old_volume_id", "new_volume_id"),
    "InstanceActionRescuePayload": ("rescue_image_ref",), "InstanceActionSnapshotPayload": ("snapshot_image_id",),
}
_POWER = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}


def wrapped(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a payload in the envelope of Nova's versioned objects."""
    return {
        "nova_object.name": name, "nova_object.namespace": "nova", "nova_object.version": VERSIONS[name],
        "nova_object.data": dict(data),
    }


def action(
    name: str, sight: Sight, caller: Caller | None, failure: Failure | None, extra: Mapping[str, Any], *, origin: str,
    shares: bool = False,
) -> dict[str, Any]:
    """Answer the payload `name` (InstanceActionPayload or one of its kind) of something that is done to a server.

    `extra` has the fields of EXTRAS, and `new_flavor` (a Flavor) for resize_prep. `origin` names the event, for failures.
    """
    instance = sight.instance
    data = _instance(sight, caller, shares=shares)
    data["fault"] = exception(failure, origin) if failure is not None else None
    if name == "InstanceCreatePayload":
        data |= {
            "keypairs": _keypairs(instance), "tags": list(instance.tags), "instance_name": instance.name,
            "trusted_image_certificates": _certificates(instance),
        }
    elif name == "InstanceActionRebuildPayload":
        data["trusted_image_certificates"] = _certificates(instance)
    elif name == "InstanceActionResizePrepPayload":
        new = extra.get("new_flavor")
        data["new_flavor"] = flavor(new) if isinstance(new, Flavor) else None
    data |= {field: extra.get(field) for field in EXTRAS.get(name, ())}
    return wrapped(name, data)


def update(
    sight: Sight, before: Instance | None, caller: Caller | None, *, period: tuple[datetime, datetime], shares: bool = False,
) -> dict[str, Any]:
    """Answer the payload of instance.update; `before` None: the server is new."""
    instance = sight.instance
    old = before or instance
    renamed = old.display_name != instance.display_name
    return wrapped("InstanceUpdatePayload", _instance(sight, caller, shares=shares) | {
        "state_update": wrapped("InstanceStateUpdatePayload", {
            "old_state": before.vm_state if before else None, "state": instance.vm_state,
            "old_task_state": before.task_state if before else None, "new_task_state": instance.task_state,
        }),
        "audit_period": audit_period(period), "old_display_name": old.display_name if renamed else None,
        "tags": list(instance.tags),
    })


def exists(sight: Sight, caller: Caller | None, *, period: tuple[datetime, datetime], shares: bool = False) -> dict[str, Any]:
    """Answer the payload of instance.exists."""
    return wrapped("InstanceExistsPayload", _instance(sight, caller, shares=shares) | {"audit_period": audit_period(period)})


def audit_period(period: tuple[datetime, datetime]) -> dict[str, Any]:
    """Answer the payload of a period of usage."""
    return wrapped("AuditPeriodPayload", {"audit_period_beginning": time(period[0]), "audit_period_ending": time(period[1])})


def _instance(sight: Sight, caller: Caller | None, *, shares: bool) -> dict[str, Any]:
    instance = sight.instance
    asked = caller is not None and bool(caller.user_id and caller.project_id)
    return {
        "uuid": instance.uuid, "user_id": instance.user_id, "tenant_id": instance.project_id,
        "reservation_id": instance.reservation_id, "display_name": instance.display_name,
        "display_description": instance.description, "host_name": instance.hostname, "host": instance.host,
        "node": instance.node, "os_type": instance.os_type, "architecture": instance.architecture,
        "availability_zone": instance.availability_zone, "flavor": flavor(instance.flavor), "image_uuid": instance.image_ref,
        "key_name": instance.key_name, "kernel_id": instance.kernel_id, "ramdisk_id": instance.ramdisk_id,
        "created_at": time(instance.created_at), "launched_at": time(instance.launched_at),
        "terminated_at": time(instance.terminated_at), "deleted_at": time(instance.terminated_at if instance.deleted else None),
        "updated_at": time(instance.updated_at), "state": instance.vm_state, "power_state": _POWER.get(instance.power_state, "pending"),
        "task_state": instance.task_state, "progress": instance.progress, "ip_addresses": _addresses(instance.network_info),
        "block_devices": _volumes(sight.disks), "metadata": dict(instance.metadata), "locked": instance.locked_by is not None,
        "auto_disk_config": "AUTO" if instance.auto_disk_config else "MANUAL",
        # What the control plane does by itself was asked for by nobody.
        "request_id": caller.request_id if caller is not None and asked else None,
        "action_initiator_user": caller.user_id or None if caller is not None else None,
        "action_initiator_project": caller.project_id or None if caller is not None else None,
        "locked_reason": instance.locked_reason, "shares": [] if shares else None,
    }


def _addresses(vifs: tuple[Vif, ...]) -> list[dict[str, Any]]:
    return [
        wrapped("IpPayload", {
            "label": vif.label, "mac": vif.mac, "meta": {}, "port_uuid": vif.port_id, "version": ip.version,
            "address": ip.address, "device_name": vif.tap,
        }) for vif in vifs for ip in vif.fixed_ips
    ]


def _volumes(disks: tuple[BlockDevice, ...] | None) -> list[dict[str, Any]] | None:
    if disks is None:
        return None
    return [
        wrapped("BlockDevicePayload", {
            "device_name": disk.device_name, "boot_index": disk.boot_index, "delete_on_termination": disk.delete_on_termination,
            "volume_id": disk.volume_id, "tag": disk.tag,
        }) for disk in disks if disk.volume_id is not None
    ]


def _certificates(instance: Instance) -> list[str] | None:
    certificates = instance.trusted_image_certificates
    return list(certificates) if certificates is not None else None


def _keypairs(instance: Instance) -> list[dict[str, Any]]:
    if instance.key_name is None or instance.key_data is None:
        return []
    return [wrapped("KeypairPayload", {
        "user_id": instance.user_id, "name": instance.key_name, "fingerprint": _fingerprint(instance.key_data),
        "public_key": instance.key_data, "type": instance.key_type,
    })]


def _fingerprint(public_key: str) -> str | None:
    """Answer the MD5 of an OpenSSH key in pairs of digits; None for a certificate, whose fingerprint servers do not keep."""
    try:
        digest = hashlib.md5(base64.b64decode(public_key.split()[1], validate=True), usedforsecurity=False).hexdigest()
    except (IndexError, binascii.Error):
        return None
    return ":".join(digest[i:i + 2] for i in range(0, len(digest), 2))


def flavor(value: Flavor, *, projects: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Answer the payload of a flavor; `projects` None: nobody looked who may use it."""
    return wrapped("FlavorPayload", {
        "flavorid": value.flavorid, "name": value.name, "memory_mb": value.memory_mb, "vcpus": value.vcpus,
        "root_gb": value.root_gb, "ephemeral_gb": value.ephemeral_gb, "swap": value.swap_mb, "rxtx_factor": value.rxtx_factor,
        "vcpu_weight": 0, "disabled": value.disabled, "is_public": value.is_public, "extra_specs": dict(value.extra_specs),
        "projects": list(projects) if projects is not None else None, "description": value.description,
    })


def keypair(value: Keypair) -> dict[str, Any]:
    """Answer the payload of a key pair; fields which are not known yet may be empty."""
    return wrapped("KeypairPayload", {
        "user_id": value.user_id, "name": value.name, "fingerprint": value.fingerprint or None,
        "public_key": value.public_key or None, "type": value.type,
    })


def aggregate(value: Aggregate) -> dict[str, Any]:
    """Answer the payload of a host aggregate."""
    return wrapped("AggregatePayload", {
        "id": value.id, "uuid": value.uuid, "name": value.name, "hosts": list(value.hosts), "metadata": dict(value.metadata),
    })


def server_group(value: ServerGroup) -> dict[str, Any]:
    """Answer the payload of a server group."""
    return wrapped("ServerGroupPayload", {
        "uuid": value.uuid, "name": value.name, "project_id": value.project_id, "user_id": value.user_id,
        "policies": [value.policy], "policy": value.policy, "rules": {name: str(rule) for name, rule in value.rules.items()},
        "members": list(value.members), "hosts": None,
    })


def service(value: Service, binary: str) -> dict[str, Any]:
    """Answer the payload of a service; `binary` is its name as Nova's."""
    return wrapped("ServiceStatusPayload", {
        "uuid": value.uuid, "host": value.host, "binary": binary, "topic": value.topic, "disabled": value.disabled,
        "disabled_reason": value.disabled_reason, "forced_down": value.forced_down, "last_seen_up": time(value.updated_at),
        "report_count": 0, "availability_zone": value.availability_zone or None, "version": value.version,
    })


def exception(failure: Failure, origin: str) -> dict[str, Any]:
    """Answer the payload of a failure; `origin` names the event which failed."""
    return wrapped("ExceptionPayload", {
        "module_name": "novalike.conductor", "function_name": origin, "exception": failure.exception,
        "exception_message": failure.message, "traceback": failure.details,
    })


def time(value: datetime | None) -> str | None:
    """Answer a naive UTC time as Nova's objects show it."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if value is not None else None
