"""How much a port may send and receive: limits of its server's flavor.

What is too much is dropped where it enters the bridge from the tap, or leaves it into the tap. The packet filter does it, by the
tap's name: a tap which comes back (a guest started anew, a NIC plugged in, while no agent ran) is limited from its first frame,
and a change of a limit is part of the same transaction as every other one. (libvirt's <bandwidth> needs the sfq queue, and traffic
control a tap that is there.)

The kernel's token bucket holds a second of its rate, and the burst on top.
"""

from __future__ import annotations

from novalike.objects.bandwidth import INBOUND, OUTBOUND
from novalike.objects.network_state import DesiredPort

SETS = frozenset({"limit_from", "limit_to"})
CHAINS = frozenset({"limits_from", "limits_to"})
#: After the checks of addresses: what a guest may not send at all, it does not pay for.
TEXT = """\
  map limit_from { type ifname : verdict; }
  map limit_to { type ifname : verdict; }
  chain limits_from {
    type filter hook prerouting priority -250; policy accept;
    iifname vmap @limit_from
  }
  chain limits_to {
    type filter hook postrouting priority 0; policy accept;
    oifname vmap @limit_to
  }
"""
#: KiB which a bucket holds at least: less than two of the largest packets that cross a bridge in one piece would pass nothing.
_LEAST = 128
_WAYS = ((OUTBOUND, "limit_from"), (INBOUND, "limit_to"))


def add(port: DesiredPort, elements: dict[str, set[str]], chains: dict[str, tuple[str, ...]]) -> None:
    """Add what a port's limits need to the contents of the bridges' table. Ports with the same limits share nothing."""
    limits = dict(port.bandwidth)
    for way, name in _WAYS:
        average = limits.get(f"{way}_average", 0)
        if average:
            chain = f"{name}_{port.id.replace('-', '')}"
            peak = limits.get(f"{way}_peak", 0)
            chains[chain] = (
                # What is over the peak does not count against the average.
                *([_over(peak, 0)] if peak > average else []), _over(average, limits.get(f"{way}_burst", 0)),
            )
            elements[name].add(f"{port.tap} : jump {chain}")


def _over(rate: int, burst: int) -> str:
    return f"limit rate over {rate} kbytes/second burst {max(burst, _LEAST - rate, 0)} kbytes drop"
