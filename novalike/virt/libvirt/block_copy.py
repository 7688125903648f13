"""Copying a running guest's disk. Each function runs in a native thread on a connection (Host.call) and uses libvirt alone."""

from __future__ import annotations

import logging
from typing import Any
from xml.etree import ElementTree as ET

import libvirt

from novalike.virt.libvirt.guest import AGENT_CHANNEL, find

LOG = logging.getLogger(__name__)

#: Seconds which the guest's agent gets to bring file systems to rest, which may have much to write, and to let them go on.
FREEZE_SECONDS, THAW_SECONDS = 30, 10
_FLAGS = (
    libvirt.VIR_DOMAIN_BLOCK_COPY_SHALLOW | libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
)


def begin(connection: Any, uuid: str, disk: str, target: str) -> None:
    """Begin to mirror what a disk holds above its base into an existing qcow2 file on the same base.

    `disk` is the path of its file. A job which runs on it is ended first.
    """
    domain = connection.lookupByUUIDString(uuid)
    _abort(domain, disk)
    root = ET.Element("disk", type="file")
    ET.SubElement(root, "source", file=target)
    ET.SubElement(root, "driver", type="qcow2")
    domain.blockCopy(disk, ET.tostring(root, encoding="unicode"), {}, _FLAGS)


def ready(connection: Any, uuid: str, disk: str) -> bool | None:
    """Answer whether all is mirrored and stays so; None when no job runs (any more)."""
    domain = connection.lookupByUUIDString(uuid)
    job = domain.blockJobInfo(disk, 0)
    if not job:
        return None
    if job["end"] == 0 or job["cur"] < job["end"]:
        return False
    for element in ET.fromstring(domain.XMLDesc(0)).iterfind("devices/disk"):  # noqa: S314  # libvirt's own text
        source, mirror = element.find("source"), element.find("mirror")
        if source is not None and source.get("file") == disk and mirror is not None:
            return mirror.get("ready") == "yes"
    return False


def end(connection: Any, uuid: str, disk: str) -> bool:
    """End the mirror: once it was ready, the copy is what the disk was in this moment. Answer whether there was one."""
    domain = find(connection, uuid)
    return domain is not None and _abort(domain, disk)


def freeze(connection: Any, uuid: str) -> str | None:
    """Have the guest's agent bring its file systems to rest; answer why not, or None."""
    domain = connection.lookupByUUIDString(uuid)
    channels = ET.fromstring(domain.XMLDesc(0)).iterfind("devices/channel/target")  # noqa: S314  # libvirt's own text
    if not any(channel.get("name") == AGENT_CHANNEL and channel.get("state") == "connected" for channel in channels):
        return "no agent in the guest is connected"
    try:
        domain.agentSetResponseTimeout(FREEZE_SECONDS, 0)
        domain.fsFreeze()
    except libvirt.libvirtError as error:
        return str(error)
    return None


def thaw(connection: Any, uuid: str) -> None:
    """Let the guest's file systems go on. Fine when they do, and when there is no guest. Raises libvirtError."""
    domain = find(connection, uuid)
    if domain is None or not domain.isActive():
        return
    domain.agentSetResponseTimeout(THAW_SECONDS, 0)
    domain.fsThaw()


def _abort(domain: Any, disk: str) -> bool:
    if not domain.isActive():
        return False
    try:
        if not domain.blockJobInfo(disk, 0):
            return False
        domain.blockJobAbort(disk, 0)
    except libvirt.libvirtError as error:
        # It ended by itself in this moment, or the guest did.
        if error.get_error_code() not in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_NO_DOMAIN):
            raise
        return False
    return True
