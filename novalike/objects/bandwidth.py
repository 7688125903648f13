"""How much a flavor lets each of a server's ports send and receive: its extra specs quota:vif_*."""

from __future__ import annotations

from collections.abc import Mapping

#: Limits as (inbound_average | inbound_peak | inbound_burst | outbound_..., KiB/s or KiB). Inbound is what the server receives.
Bandwidth = tuple[tuple[str, int], ...]

INBOUND, OUTBOUND = "inbound", "outbound"
#: More than that is no limit to anything, and less than tools can count.
_MOST = 2**31 - 1


def of_flavor(extra_specs: Mapping[str, str]) -> Bandwidth:
    """Answer the limits which a flavor sets. As in Nova, there are none in a direction without an average, or with an average of 0.

    Raises ValueError, which names the extra spec, for what is no whole number (microversions before 2.86 do not check them).
    """
    found: list[tuple[str, int]] = []
    for direction in (INBOUND, OUTBOUND):
        values = {name: _number(extra_specs, f"{direction}_{name}") for name in ("average", "peak", "burst")}
        if values["average"]:
            found += ((f"{direction}_{name}", value) for name, value in values.items() if value)
    return tuple(found)


def _number(extra_specs: Mapping[str, str], name: str) -> int:
    key = f"quota:vif_{name}"
    text = extra_specs.get(key, "0")
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"The flavor's extra spec {key} must be a whole number, not '{text}'.")
    return min(int(text), _MOST)
