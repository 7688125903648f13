"""Looking at servers on this host: their console's text, and the way to their consoles."""

from __future__ import annotations

from novalike.compute.console_relay import ConsoleRelay
from novalike.compute.host import ComputeHost
from novalike.context import RequestContext
from novalike.exception import Conflict, Invalid, NotBuilt
from novalike.objects.console import (
    NO_PORT,
    PROTOCOLS,
    ConsoleAddress,
    ConsolePorts,
    ConsoleRoute,
    ConsoleType,
    Protocol,
)
from novalike.objects.instance import Instance
from novalike.rpc.compute import Console
from novalike.virt.driver import Consoles

#: Most bytes of console text which are ever answered, as in Nova.
MAX_CONSOLE_BYTES = 102400
#: Control characters which no terminal needs and XML-minded clients choke on; colours and cursor movement stay.
_CONTROLS = {code: None for code in (*range(32), 127) if chr(code) not in "\t\r\n\x1b\b"}

#: By protocol: the section of the configuration, and its option with the address at which proxies reach guests.
_SECTIONS = {
    Protocol.VNC: ("vnc", "server_proxyclient_address"), Protocol.SPICE: ("spice", "server_proxyclient_address"),
    Protocol.SERIAL: ("serial_console", "proxyclient_address"),
}
#: By type: the option (of the same section) with the start of users' URLs.
_URLS = {
    ConsoleType.NOVNC: "novncproxy_base_url", ConsoleType.SPICE_HTML5: "html5proxy_base_url",
    ConsoleType.SPICE_DIRECT: "spice_direct_proxy_base_url", ConsoleType.SERIAL: "base_url",
}


class ConsoleEndpoint(Console):
    """Answers console text and ways to consoles. With a `relay`, proxies of other hosts come in by it."""

    def __init__(self, host: ComputeHost, relay: ConsoleRelay | None = None) -> None:
        self._host = host
        self._relay = relay

    def console_output(self, ctxt: RequestContext, *, instance: Instance, tail: int | None = None) -> str:
        """Answer the last `tail` lines as plain ASCII, other characters as `?` like in Nova; at most 100 KiB.

        A negative `tail` means all. Raises NotFound when no such guest is here, NotBuilt when the driver keeps no log.
        """
        wanted = None if tail is None or tail < 0 else tail
        output = self._host.driver.console_output(instance.uuid, wanted, MAX_CONSOLE_BYTES)[-MAX_CONSOLE_BYTES:]
        text = output.decode("utf-8", "replace").encode("ascii", "replace").decode("ascii")
        # A line end counts as one more line, an empty one, as in Nova.
        return "\n".join(text.translate(_CONTROLS).split("\n")[-wanted:]) if wanted else text.translate(_CONTROLS)

    def console(self, ctxt: RequestContext, *, instance: Instance, console_type: str) -> ConsoleAddress:
        """As the interface says; a guest which does not run has a console, whose port is NO_PORT."""
        kind, ports = self._ports(instance.uuid, console_type)
        section, option = _SECTIONS[PROTOCOLS[kind]]
        options = self._host.conf[section]
        return ConsoleAddress(host=options[option], port=ports.plain, tls_port=ports.tls, access_url_base=options[_URLS[kind]])

    def open_console(self, ctxt: RequestContext, *, instance_uuid: str, console_type: str) -> ConsoleRoute:
        """As the interface says. The port is looked up now: one from before a restart may be another guest's by now."""
        kind, ports = self._ports(instance_uuid, console_type)
        if ports.plain == NO_PORT:
            raise Conflict(f"Instance {instance_uuid} is not running")
        section, option = _SECTIONS[PROTOCOLS[kind]]
        address = self._host.conf[section][option]
        if self._relay is None:
            return ConsoleRoute(host=address, port=ports.plain)
        return self._relay.admit(address, ports.plain)

    def _ports(self, instance_uuid: str, console_type: str) -> tuple[ConsoleType, ConsolePorts]:
        try:
            kind = ConsoleType(console_type)
        except ValueError as error:
            raise Invalid(f"Invalid console type {console_type[:64]}") from error
        driver = self._host.driver
        protocol = PROTOCOLS[kind]
        if not isinstance(driver, Consoles):
            raise NotBuilt("This hypervisor's guests have no consoles.")
        enabled = self._host.conf[_SECTIONS[protocol][0]].enabled
        ports = driver.console_ports(instance_uuid, protocol) if enabled else None
        if ports is None:
            raise Invalid(f"Unavailable console type {console_type}.")
        return kind, ports
