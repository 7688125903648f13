"""Routers answer only as long as their agent lives, where another host could take them over.

An agent which died without its host leaves working routers behind; after a while the control plane gives them to another host, and
then two would answer. So the packet filter stops what crosses a router's legs when the agent has not said for so long that it lives
that others may think it dead. A host that is cut off from the control plane alone goes on: nobody can tell that from a control plane
which is away, and then routers should work.
"""

from __future__ import annotations

from collections.abc import Iterable

from novalike.privileged import nft

FAMILY, TABLE = "bridge", "novalike_lease"       # and the owner: every agent has a table of its own


class RouterLease:
    """One agent's right to run routers, as the kernel keeps it."""

    def __init__(self, owner: str) -> None:
        self._table = f"{TABLE}_{owner}"
        self._held: bool | None = None               # whether the table is there; None: not known

    def renew(self, legs: Iterable[str], seconds: int) -> None:
        """Let frames pass these legs of routers (interfaces of the host) for so long from now; all others pass in any case. Raises
        NovalikeError."""
        names = sorted(f'"{leg}"' for leg in legs)
        if not names:
            self.end()
            return
        place = f"{FAMILY} {self._table}"
        nft.apply(
            f"add table {place}\ndelete table {place}\ntable {place} {{\n"
            f"  set legs {{ type ifname; elements = {{ {', '.join(names)} }}; }}\n"
            f"  set alive {{ type ifname; flags timeout; elements = {{ {', '.join(f'{name} timeout {seconds}s' for name in names)} }}; }}\n"
            "  chain from_routers { type filter hook prerouting priority -310; iifname @legs iifname != @alive drop; }\n"
            "  chain to_routers { type filter hook postrouting priority 310; oifname @legs oifname != @alive drop; }\n}\n",
        )
        self._held = True

    def end(self) -> None:
        """Let frames pass whether the agent lives or not."""
        if self._held is not False:
            nft.delete(FAMILY, self._table)
            self._held = False
