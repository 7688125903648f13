"""Consoles of guests: which kinds there are, where one listens, and who may see it for a while."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from novalike.objects.secret import Secret

#: The port of a console whose guest does not run now.
NO_PORT = -1


class Protocol(StrEnum):
    """What a guest's console speaks."""

    VNC = "vnc"
    SPICE = "spice"
    SERIAL = "serial"


class ConsoleType(StrEnum):
    """How a user looks at a console, by Nova's names."""

    NOVNC = "novnc"
    SPICE_HTML5 = "spice-html5"
    SPICE_DIRECT = "spice-direct"
    SERIAL = "serial"


PROTOCOLS = {
    ConsoleType.NOVNC: Protocol.VNC, ConsoleType.SPICE_HTML5: Protocol.SPICE, ConsoleType.SPICE_DIRECT: Protocol.SPICE,
    ConsoleType.SERIAL: Protocol.SERIAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePorts:
    """Ports of one console on its hypervisor; NO_PORT while the guest does not run. `tls` where SPICE is encrypted as well."""

    plain: int
    tls: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleAddress:
    """Where a guest's console is now (`port` may be NO_PORT), and the start of the URL under which users see it."""

    host: str
    port: int
    access_url_base: str
    tls_port: int | None = None
    internal_access_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleRoute:
    """A way to a guest's console which works once, and soon: connect, and if there is a `ticket` send it and a line feed first."""

    host: str
    port: int
    ticket: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleToken:
    """A token as it is stored: without its text. `expires_at` is epoch milliseconds of the database's clock."""

    id: int
    instance_uuid: str
    epoch: int
    host: str
    console_type: str
    address: ConsoleAddress
    expires_at: int
