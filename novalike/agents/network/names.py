"""Names of what agents make on a host. Which agent made it, and may change and remove it, is told by its tag: see ownership."""

from __future__ import annotations

import re

BRIDGE, INNER, OUTER, TUNNEL, VLAN = "nlb", "nlv", "nlw", "nlx", "nlq"
PREFIXES = (BRIDGE, INNER, OUTER, TUNNEL, VLAN)
#: Interfaces inside a network's namespace: into the bridge, and out to the host.
LAN, WAN = "lan", "wan"
#: A router's end of a leg on the host; inside the router, its ends in inner networks and in the external one.
ROUTER, LEG, OUT = "nlr", "leg", "out"
LENGTH = 11
_SHORT = re.compile(r"[0-9a-f-]{11}")
_OURS = re.compile(rf"nl[bvwxq]{_SHORT.pattern}")


def short(network_id: str) -> str:
    """Answer the part of a network's id which stands in the names."""
    return network_id[:LENGTH]


def is_short(name: str) -> bool:
    """Tell whether this could be the short form of a network's id."""
    return _SHORT.fullmatch(name) is not None


def is_ours(interface: str) -> bool:
    """Tell whether an interface's name is one that an agent gives, be it this one or another cloud's."""
    return _OURS.fullmatch(interface) is not None


def inside_mac(network_id: str) -> str:
    """Answer the MAC address of a network's namespace: the same on every host and after every rebuild, so that guests keep
    their neighbour entry. Locally administered, and of a range which is not given to ports."""
    digits = network_id.replace("-", "")[:10]
    return "0e:" + ":".join(digits[i:i + 2] for i in range(0, 10, 2))
