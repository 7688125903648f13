"""What is done to devices of domains. Each function runs in a native thread on a connection (Host.call) and uses libvirt alone.

Devices are known by aliases which we give them. libvirt takes a device out of a running domain's description when QEMU says
that the guest let go of it (its DEVICE_DELETED): that is looked at instead of waiting for libvirt's event, which a connection
that broke would have lost.
"""

from __future__ import annotations

import logging
from typing import Any
from xml.etree import ElementTree as ET

import libvirt

from novalike.virt.libvirt import guest

LOG = logging.getLogger(__name__)
_LIVE, _CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
_MISSING = (libvirt.VIR_ERR_DEVICE_MISSING, libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)


def attach(connection: Any, uuid: str, alias: str, xml: str) -> None:
    """Give a running guest a device, unless it has it. Fine when it does not run."""
    domain = _active(connection, uuid)
    if domain is None:
        return
    if _find(domain, alias) is None:
        domain.attachDeviceFlags(xml, _LIVE)
    if _find(domain, alias, inactive=True) is None:
        _define(domain, lambda: domain.attachDeviceFlags(xml, _CONFIG))


def ask_to_let_go(connection: Any, uuid: str, alias: str) -> bool:
    """Ask a running guest to let go of a device; answer whether it has none such (any more)."""
    domain = _active(connection, uuid)
    if domain is None:
        return True
    if _find(domain, alias, inactive=True) is not None:
        _define(domain, lambda: domain.detachDeviceAlias(alias, _CONFIG))
    if _find(domain, alias) is None:
        return True
    try:
        domain.detachDeviceAlias(alias, _LIVE)
    except libvirt.libvirtError as error:
        if error.get_error_code() in _MISSING:
            return _find(domain, alias) is None
        # QEMU refuses to ask twice while the guest has not answered: then it is waited for.
        if "process of unplug" not in str(error):
            raise
    return _find(domain, alias) is None


def is_there(connection: Any, uuid: str, alias: str) -> bool:
    """Answer whether a running guest has a device."""
    domain = _active(connection, uuid)
    return domain is not None and _find(domain, alias) is not None


def targets(connection: Any, uuid: str) -> set[str]:
    """Answer the names of a running guest's disks; empty when it does not run."""
    domain = _active(connection, uuid)
    if domain is None:
        return set()
    return {target.get("dev", "") for target in _devices(domain).iterfind("disk/target")}


def works_on(connection: Any, uuid: str, alias: str, source: str) -> bool | None:
    """Answer whether a disk's data are at this source (XML); None when the guest does not run or has no such disk."""
    domain = _active(connection, uuid)
    disk = _find(domain, alias) if domain is not None else None
    found = disk.find("source") if disk is not None else None
    if found is None:
        return None
    return _place(found) == _place(ET.fromstring(source))  # noqa: S314  # libvirt's text, and ours


def begin_copy(connection: Any, uuid: str, alias: str, xml: str) -> bool:
    """Begin to copy a disk to another one; a copy which ran before is given up. False when there is no such disk."""
    domain = _active(connection, uuid)
    name = _name(domain, alias) if domain is not None else None
    if name is None:
        return False
    if domain.blockJobInfo(name, 0):
        domain.blockJobAbort(name, 0)
    # The copy's target exists and is as large; the job is nothing which a domain must remember.
    domain.blockCopy(name, xml, None, libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
    return True


def end_copy(connection: Any, uuid: str, alias: str) -> bool:
    """Let the guest go on with the copy if that is complete; answer whether it does. Raises libvirtError when it was given up."""
    domain = _active(connection, uuid)
    name = _name(domain, alias) if domain is not None else None
    if name is None:
        raise libvirt.libvirtError("the guest is gone")
    job = domain.blockJobInfo(name, 0)
    if not job:
        raise libvirt.libvirtError("the copy ended by itself")
    disk = _find(domain, alias)
    mirror = disk.find("mirror") if disk is not None else None
    if job["cur"] != job["end"] or mirror is None or mirror.get("ready") != "yes":
        return False
    domain.blockJobAbort(name, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
    return True


def redefine(connection: Any, uuid: str, alias: str, xml: str) -> None:
    """Put another device in the place of one in the guest's definition, for those who look at that."""
    domain = _active(connection, uuid)
    if domain is not None:
        _define(domain, lambda: domain.detachDeviceAlias(alias, _CONFIG))
        _define(domain, lambda: domain.attachDeviceFlags(xml, _CONFIG))


def give_up_copy(connection: Any, uuid: str, alias: str) -> None:
    """End a copy; the guest goes on as before. Fine when there is none."""
    domain = _active(connection, uuid)
    name = _name(domain, alias) if domain is not None else None
    if name is not None and domain.blockJobInfo(name, 0):
        domain.blockJobAbort(name, 0)


def statistics(connection: Any, uuid: str) -> dict[str, Any] | None:
    """Answer what libvirt counts of a guest that is on; None for another."""
    domain = _active(connection, uuid)
    if domain is None:
        return None
    ((_, found),) = connection.domainListGetStats([domain], 0, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
    return dict(found)


def _active(connection: Any, uuid: str) -> Any:
    domain = guest.find(connection, uuid)
    return domain if domain is not None and domain.isActive() else None


def _define(domain: Any, change: Any) -> None:
    """Change the definition, which is made anew from our data whenever the guest starts: failing does no harm."""
    try:
        change()
    except libvirt.libvirtError as error:
        LOG.info("the definition of %s stays as it was: %s", domain.name(), error)


def _devices(domain: Any, *, inactive: bool = False) -> ET.Element:
    found = ET.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0)).find("devices")  # noqa: S314  # libvirt's own text
    return found if found is not None else ET.Element("devices")


def _find(domain: Any, alias: str, *, inactive: bool = False) -> ET.Element | None:
    for device in _devices(domain, inactive=inactive):
        name = device.find("alias")
        if name is not None and name.get("name") == alias:
            return device
    return None


def _name(domain: Any, alias: str) -> str | None:
    disk = _find(domain, alias)
    target = disk.find("target") if disk is not None else None
    return target.get("dev") if target is not None else None


def _place(source: ET.Element) -> tuple[Any, ...]:
    host = source.find("host")
    where = (host.get("name"), host.get("port"), host.get("socket")) if host is not None else ()
    return (source.get("protocol"), source.get("name"), source.get("dev"), source.get("file"), *where)
