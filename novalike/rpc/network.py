"""What network agents can be asked."""

from __future__ import annotations

from novalike.context import RequestContext
from novalike.rpc.engine import Interface, cast

TOPIC = "network"


class NetworkAgent(Interface):
    """The hands of local networking on one host."""

    topic, version = TOPIC, "1.0"

    @cast()
    def ring(self, ctxt: RequestContext, *, revision: int) -> None:
        """The desired state of this host changed: fetch it (coalesced for 100 ms)."""
