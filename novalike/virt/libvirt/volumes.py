"""Makes disks of volumes: what a volume service says of a connection in, libvirt's words out. Pure.

Connections are Cinder's: `{"driver_volume_type": "iscsi", "data": {...}}`. QEMU opens iSCSI, RBD and NBD itself, so that a
host needs no login of its own and nothing is left on it when a daemon dies.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from novalike.exception import BuildFailed
from novalike.objects.block_device import BlockDevice
from novalike.virt.libvirt.xml.volume import HostSource, NetworkSource, VolumeDisk

#: What a volume service may limit, by libvirt's names.
_LIMITS = tuple(f"{what}_{unit}_sec" for what in ("read", "write", "total") for unit in ("bytes", "iops"))


@dataclass(frozen=True, slots=True)
class Login:
    """A password which libvirt must know before it opens a volume. Never printed."""

    secret: str                                          # its uuid
    kind: str                                            # iscsi or ceph
    usage: str
    password: bytes

    def __repr__(self) -> str:
        return f"Login({self.secret})"


def alias(device: BlockDevice) -> str:
    """Answer what the guest's device is called; it stays when another volume takes the place of this one."""
    return f"ua-{device.uuid}"


def disk(instance_uuid: str, device: BlockDevice, *, target: str, bus: str, initiator: str | None = None) -> VolumeDisk:
    """Answer a volume as a disk. `initiator` is who the host is to iSCSI targets. Raises BuildFailed for connections of a kind which is not known here."""
    kind, data, connection = _parse(device)
    if data.get("encrypted"):
        raise BuildFailed("This hypervisor does not support encrypted volumes yet.", retry=False)
    source = _source(instance_uuid, device, kind, data, initiator)
    limits = data.get("qos_specs") or {}
    return VolumeDisk(
        source=source, target=target, bus=bus, serial=device.volume_id or device.uuid, alias=alias(device),
        format=str(data.get("format") or "raw"), discard="unmap" if data.get("discard") else None,
        io="native" if source.type == "block" else None, readonly=data.get("access_mode") == "ro",
        shareable=bool(connection.get("multiattach")),
        iotune={name: int(limits[name]) for name in _LIMITS if str(limits.get(name, "")).isdigit()},
    )


def login(instance_uuid: str, device: BlockDevice) -> Login | None:
    """Answer the password without which a volume does not open; None when it needs none, or the host has it. Raises BuildFailed."""
    kind, data, _ = _parse(device)
    usage = f"{instance_uuid}/{device.volume_id}"
    if kind == "iscsi" and data.get("auth_password"):
        return Login(_secret(usage), "iscsi", usage, str(data["auth_password"]).encode())
    if kind == "rbd" and data.get("auth_enabled") and data.get("keyring"):
        try:
            return Login(_secret(usage), "ceph", usage, base64.b64decode(str(data["keyring"]), validate=True))
        except binascii.Error as error:
            raise BuildFailed(f"The key of volume {device.volume_id} is malformed.") from error
    return None


def _secret(usage: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, usage))


def _parse(device: BlockDevice) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    if device.connection is None:
        raise BuildFailed(f"How volume {device.volume_id} is reached is not known.")
    try:
        connection = json.loads(device.connection.reveal())
        return str(connection["driver_volume_type"]), dict(connection["data"]), connection
    except (ValueError, KeyError, TypeError):
        # Nothing of the text: it may hold a password.
        raise BuildFailed(f"The connection of volume {device.volume_id} is malformed.") from None


def _source(
    instance_uuid: str, device: BlockDevice, kind: str, data: Mapping[str, Any], initiator: str | None,
) -> NetworkSource | HostSource:
    try:
        if kind == "nbd":
            hosts = ((str(data["host"]), str(data["port"])),) if data.get("host") else ()
            return NetworkSource(protocol="nbd", name=str(data["export"]), hosts=hosts, socket=data.get("socket"))
        if kind == "iscsi":
            return _iscsi(instance_uuid, device, data, initiator)
        if kind == "rbd":
            return _rbd(instance_uuid, device, data)
        if kind in ("local", "block", "file"):
            return HostSource(type="file" if kind == "file" else "block", path=str(data["device_path"]))
    except (KeyError, ValueError):
        raise BuildFailed(f"The connection of volume {device.volume_id} lacks something.") from None
    raise BuildFailed(f"This hypervisor does not support volumes of type {kind} yet.", retry=False)


def _iscsi(instance_uuid: str, device: BlockDevice, data: Mapping[str, Any], initiator: str | None) -> NetworkSource:
    host, _, port = str(data["target_portal"]).rpartition(":")
    password = login(instance_uuid, device)
    return NetworkSource(
        protocol="iscsi", name=f"{data['target_iqn']}/{data['target_lun']}", hosts=((host.strip("[]"), port),),
        user=data.get("auth_username") if password else None, secret=password.secret if password else None,
        initiator=initiator,
    )


def _rbd(instance_uuid: str, device: BlockDevice, data: Mapping[str, Any]) -> NetworkSource:
    password = login(instance_uuid, device)
    secret = password.secret if password else data.get("secret_uuid")
    return NetworkSource(
        protocol="rbd", name=str(data["name"]), hosts=tuple(zip(data["hosts"], map(str, data["ports"]), strict=True)),
        user=data.get("auth_username") if data.get("auth_enabled") else None, secret=secret,
    )
