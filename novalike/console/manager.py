"""novalike-novncproxy, novalike-serialproxy and novalike-spicehtml5proxy: one daemon, three sorts."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from novalike.console import server
from novalike.console.gate import Tokens
from novalike.console.proxy import Proxy
from novalike.console.session import Sessions
from novalike.objects.console import ConsoleRoute, ConsoleToken, ConsoleType
from novalike.periodic import Periodic
from novalike.rpc.engine import Interface


@dataclass(frozen=True, kw_only=True)
class Sort:
    """What makes a proxy a sort of its own: the console types it serves, its options, and where its page usually is."""

    kinds: frozenset[str]
    section: str
    host_option: str
    port_option: str
    web: str | None = None


SORTS = {
    "novncproxy": Sort(
        kinds=frozenset({ConsoleType.NOVNC}), section="vnc", host_option="novncproxy_host", port_option="novncproxy_port",
        web="/usr/share/novnc",
    ),
    "serialproxy": Sort(
        kinds=frozenset({ConsoleType.SERIAL}), section="serial_console", host_option="serialproxy_host",
        port_option="serialproxy_port",
    ),
    "spicehtml5proxy": Sort(
        kinds=frozenset({ConsoleType.SPICE_HTML5}), section="spice", host_option="html5proxy_host", port_option="html5proxy_port",
        web="/usr/share/spice-html5",
    ),
}


class ConsoleProxyManager:
    """One proxy. `route` asks a token's compute host for the way to the guest. Raises OSError when its port is taken, and
    ValueError for TLS options which contradict each other."""

    topic: str | None = None
    endpoints: tuple[Interface, ...] = ()

    def __init__(self, conf: Any, sort: str, tokens: Tokens, route: Callable[[ConsoleToken], ConsoleRoute]) -> None:
        this = SORTS[sort]
        self.binary = f"novalike-{sort}"
        options = conf[this.section]
        web = this.web and (this.web if conf.web is None else conf.web)
        sessions = Sessions(tokens)
        proxy = Proxy(
            kinds=this.kinds, tokens=tokens, route=route, sessions=sessions, web=web if web and os.path.isdir(web) else None,
            allowed_origins=tuple(conf.console.allowed_origins),
        )
        self.server = server.ProxyServer(
            self.binary, options[this.host_option], options[this.port_option], proxy, encryption=server.tls(conf),
            ssl_only=conf.ssl_only, limit=conf.console.session_limit, prefer_ipv6=conf.source_is_ipv6,
        )
        self.periodics = (Periodic("sessions", conf.console.check_interval, sessions.check),)

    def start(self) -> None:
        """Answer browsers."""
        self.server.start()

    def stop(self) -> None:
        """End all sessions."""
        self.server.stop()
