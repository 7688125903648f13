"""Consoles of guests: where they listen, read from the live definition."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from novalike.exception import NotFound
from novalike.objects.console import NO_PORT, ConsolePorts, Protocol
from novalike.virt.libvirt import guest
from novalike.virt.libvirt.core import LibvirtCore, failures


class ConsoledGuests(LibvirtCore):
    """Capability Consoles."""

    def console_ports(self, instance_uuid: str, protocol: Protocol) -> ConsolePorts | None:
        with failures():
            found = self._host.call(_definition, instance_uuid)
        if found is None:
            raise NotFound(f"Instance {instance_uuid} could not be found.")
        text, runs = found
        ports = ports_in(text, protocol)
        # The definition of a guest which is off still tells the serial port of its last run, another guest's by now.
        return ports if runs or ports is None else ConsolePorts(plain=NO_PORT)


def ports_in(definition: str, protocol: Protocol) -> ConsolePorts | None:
    """Answer the ports of a console in a domain's XML; None when the domain has no such console."""
    # libvirt made this text; nobody else can put something into it.
    devices = ET.fromstring(definition).find("devices")  # noqa: S314
    if devices is None:
        return None
    if protocol is Protocol.SERIAL:
        source = devices.find("serial[@type='tcp']/source[@mode='bind']")
        return None if source is None else ConsolePorts(plain=_port(source.get("service")) or NO_PORT)
    graphics = devices.find(f"graphics[@type='{protocol.value}']")
    if graphics is None:
        return None
    return ConsolePorts(plain=_port(graphics.get("port")) or NO_PORT, tls=_port(graphics.get("tlsPort")))


def _definition(connection: Any, uuid: str) -> tuple[str, bool] | None:
    domain = guest.find(connection, uuid)
    return None if domain is None else (domain.XMLDesc(0), bool(domain.isActive()))


def _port(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() and int(text) > 0 else None
