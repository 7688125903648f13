"""Looking at servers on this host."""

from __future__ import annotations

from novalike.compute.host import ComputeHost
from novalike.context import RequestContext
from novalike.objects.instance import Instance
from novalike.rpc.compute import Console

#: Most bytes of console text which are ever answered, as in Nova.
MAX_CONSOLE_BYTES = 102400
#: Control characters which no terminal needs and XML-minded clients choke on; colours and cursor movement stay.
_CONTROLS = {code: None for code in (*range(32), 127) if chr(code) not in "\t\r\n\x1b\b"}


class ConsoleEndpoint(Console):
    """Answers console text."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host

    def console_output(self, ctxt: RequestContext, *, instance: Instance, tail: int | None = None) -> str:
        """Answer the last `tail` lines as plain ASCII, other characters as `?` like in Nova; at most 100 KiB.

        A negative `tail` means all. Raises NotFound when no such guest is here, NotBuilt when the driver keeps no log.
        """
        wanted = None if tail is None or tail < 0 else tail
        output = self._host.driver.console_output(instance.uuid, wanted, MAX_CONSOLE_BYTES)[-MAX_CONSOLE_BYTES:]
        text = output.decode("utf-8", "replace").encode("ascii", "replace").decode("ascii")
        return text.translate(_CONTROLS)
