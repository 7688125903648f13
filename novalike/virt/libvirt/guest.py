"""What is done to domains. Each function runs in a native thread on a connection (Host.call) and uses libvirt alone."""

from __future__ import annotations

import logging
import time
from typing import Any
from xml.etree import ElementTree as ET

import libvirt

from novalike.objects.states import PowerState

LOG = logging.getLogger(__name__)

AGENT_CHANNEL = "org.qemu.guest_agent.0"
_AGENT_SECONDS = 5
POWER_STATES = {
    libvirt.VIR_DOMAIN_NOSTATE: PowerState.NOSTATE,
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.RUNNING,     # still going down: it is off when libvirt says shut off
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.SHUTDOWN,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.SUSPENDED,
}
_DESTROY_ATTEMPTS = 3
_UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


def find(connection: Any, uuid: str) -> Any:
    """Answer the domain, or None."""
    try:
        return connection.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def power_state(connection: Any, uuid: str) -> PowerState | None:
    """Answer a guest's power state; None when there is no such guest."""
    domain = find(connection, uuid)
    return None if domain is None else _state(domain)


def everyone(connection: Any) -> list[tuple[str, str, PowerState]]:
    """Answer uuid, name and power state of all guests, in one round trip."""
    records = connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
    return [
        (domain.UUIDString(), domain.name(), POWER_STATES.get(stats.get("state.state"), PowerState.NOSTATE))
        for domain, stats in records
    ]


def start_unless_running(connection: Any, uuid: str, xml: str) -> None:
    """Start a guest from a new definition; one that runs is left alone, one that is paused or saved starts afresh."""
    domain = find(connection, uuid)
    if domain is not None:
        if _state(domain) is PowerState.RUNNING:
            return
        destroy(domain)
        if domain.hasManagedSaveImage():
            domain.managedSaveRemove()                   # the memory of another definition
    connection.defineXML(xml).create()


def start_paused(connection: Any, uuid: str, xml: str) -> None:
    """Start a new guest whose CPUs stand still until it is unpaused."""
    connection.defineXML(xml).createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)


def define(connection: Any, uuid: str, xml: str) -> None:
    """Give a guest a new definition without starting it; one that runs is left alone until it stops."""
    connection.defineXML(xml)


def restart(connection: Any, uuid: str, xml: str) -> None:
    """Start a guest from a new definition, cutting its power first if it runs."""
    domain = find(connection, uuid)
    if domain is not None:
        destroy(domain)
    start_unless_running(connection, uuid, xml)


def cut_power(connection: Any, uuid: str) -> bool:
    """Stop a guest at once; answer whether it exists."""
    domain = find(connection, uuid)
    if domain is not None:
        destroy(domain)
    return domain is not None


def remove(connection: Any, uuid: str) -> bool:
    """Stop a guest and forget its definition with all that libvirt keeps for it; answer whether there was one."""
    domain = find(connection, uuid)
    if domain is None:
        return False
    destroy(domain)
    try:
        domain.undefineFlags(_UNDEFINE)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
    return True


def ask_to_shut_down(connection: Any, uuid: str) -> bool:
    """Ask a guest to shut down, by its agent if it answers, else by the power button; answer whether it can be asked.

    A guest which is not running cannot.
    """
    domain = find(connection, uuid)
    if domain is None:
        return False
    try:
        domain.shutdown()
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
            return False
        try:                                             # an agent which is configured and does not work
            domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        except libvirt.libvirtError:
            return False
    return True


def pause(connection: Any, uuid: str) -> bool:
    """Stop a running guest's CPUs; answer whether it exists. One that is paused stays so."""
    domain = find(connection, uuid)
    if domain is not None and _state(domain) is not PowerState.PAUSED:
        domain.suspend()
    return domain is not None


def unpause(connection: Any, uuid: str) -> bool:
    """Let a paused guest go on and tell it the time; answer whether it exists."""
    domain = find(connection, uuid)
    if domain is not None and _state(domain) is PowerState.PAUSED:
        domain.resume()
        _tell_time(domain)
    return domain is not None


def save(connection: Any, uuid: str) -> bool:
    """Save a guest's memory and stop it; answer whether it exists."""
    domain = find(connection, uuid)
    if domain is not None and domain.isActive():
        domain.managedSave(0)
    return domain is not None


def restore(connection: Any, uuid: str, xml: str) -> None:
    """Let a guest go on from its saved memory; without any it starts afresh from this definition."""
    domain = find(connection, uuid)
    if domain is not None and not domain.isActive() and domain.hasManagedSaveImage():
        domain.create()
        _tell_time(domain)
        return
    start_unless_running(connection, uuid, xml)


def inject_nmi(connection: Any, uuid: str) -> bool:
    """Send a guest a non-maskable interrupt; answer whether it exists."""
    domain = find(connection, uuid)
    if domain is not None:
        domain.injectNMI(0)
    return domain is not None


def _tell_time(domain: Any) -> None:
    """Set the guest's clock, which stood still, if its agent listens. A guest without one has to see for itself."""
    channels = ET.fromstring(domain.XMLDesc(0)).iterfind("devices/channel/target")  # noqa: S314  # libvirt's own text
    if not any(channel.get("name") == AGENT_CHANNEL and channel.get("state") == "connected" for channel in channels):
        return
    try:
        domain.agentSetResponseTimeout(_AGENT_SECONDS, 0)
        now = time.time()
        domain.setTime({"seconds": int(now), "nseconds": int(now % 1 * 1e9)})
    except libvirt.libvirtError as error:
        LOG.info("guest %s was not told the time: %s", domain.name(), error)


def destroy(domain: Any) -> None:
    """Stop a domain at once. Fine when it does not run."""
    for attempt in range(_DESTROY_ATTEMPTS):
        try:
            domain.destroy()
            return
        except libvirt.libvirtError as error:
            if error.get_error_code() in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
                return
            # QEMU hangs in a system call (a slow disk) and libvirt gave up waiting for it to die.
            if error.get_error_code() != libvirt.VIR_ERR_SYSTEM_ERROR or attempt == _DESTROY_ATTEMPTS - 1:
                raise
            time.sleep(1)


def _state(domain: Any) -> PowerState:
    return POWER_STATES.get(domain.state()[0], PowerState.NOSTATE)
