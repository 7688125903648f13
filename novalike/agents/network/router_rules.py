"""What a router translates: its floating addresses both ways, and everybody else's on the way out."""

from __future__ import annotations

import hashlib

from novalike.agents.network import names
from novalike.objects.network_state import DesiredRouter
from novalike.privileged import nft

FAMILY, TABLE = "inet", "novalike_router"


def render(router: DesiredRouter) -> str:
    """Answer the chains of a router's table."""
    inner = sorted({cidr for leg in router.legs if not leg.external for _, cidr in leg.addresses if ":" not in cidr})
    outer = [address for leg in router.legs if leg.external for address, _ in leg.addresses if ":" not in address]
    spans = ", ".join(inner)
    incoming, leaving, forward = [], [], []
    if router.floating:
        incoming.append(f"dnat ip to ip daddr map {{ {', '.join(f'{floating} : {fixed}' for floating, fixed in router.floating)} }}")
        # Also between servers of this router, which would otherwise answer each other past it.
        both = ", ".join(f"{fixed} : {floating}" for floating, fixed in router.floating)
        leaving.append(f'oifname "{names.OUT}*" snat ip to ip saddr map {{ {both} }}')
        leaving.append(f'oifname "{names.LEG}*" ct status dnat ip saddr {{ {spans} }} snat ip to ip saddr map {{ {both} }}')
    if outer and inner:
        forward += _stale(router, spans, outer[0])
        if router.snat:
            leaving.append(f'oifname "{names.OUT}*" ip saddr {{ {spans} }} snat ip to {outer[0]}')
            # What is translated on its way out is reached from outside by floating addresses only.
            forward += [f'iifname "{names.OUT}*" ct status dnat accept', f'iifname "{names.OUT}*" meta nfproto ipv4 ct state new drop']
        leaving.append(f'oifname "{names.LEG}*" ct status dnat ip saddr {{ {spans} }} snat ip to {outer[0]}')
    return "".join((
        _chain("prerouting", "type nat hook prerouting priority -100", incoming),
        _chain("postrouting", "type nat hook postrouting priority 100", leaving),
        _chain("forward", "type filter hook forward priority 0", forward),
    ))


def _stale(router: DesiredRouter, spans: str, own: str) -> list[str]:
    """Answer what ends connections by a floating address which leads elsewhere now, or nowhere: who had it has it no more."""
    floating = [f"{outer} . {fixed}" for outer, fixed in router.floating] or ["0.0.0.0 . 0.0.0.0"]
    pairs = ", ".join(floating)
    stale = (
        f"ct status dnat ct original ip daddr . ct reply ip saddr != {{ {pairs} }}",
        (f'oifname "{names.OUT}*" ct status snat ct original ip saddr {{ {spans} }} ct reply ip daddr != {own} '
         f"ct reply ip daddr . ct original ip saddr != {{ {pairs} }}"),
    )
    # Whoever uses such a connection is told, instead of waiting: his next one finds where the address leads now.
    return [f"{rule} {verdict}" for rule in stale for verdict in ("meta l4proto tcp reject with tcp reset", "drop")]


def _chain(name: str, hook: str, rules: list[str]) -> str:
    return f"  chain {name} {{\n    {hook}; policy accept;\n" + "".join(f"    {rule}\n" for rule in rules) + "  }\n"


def ensure(router: DesiredRouter, namespace: str) -> None:
    """Load a router's table in one transaction, unless it is there as it should be. What is translated already goes on."""
    chains = render(router)
    mark = f"is_{hashlib.sha256(chains.encode()).hexdigest()[:16]}"      # an empty chain whose name says what was loaded
    present = nft.show(FAMILY, TABLE, namespace=namespace)
    if present is not None:
        found = {item["chain"]["name"] for item in present if "chain" in item}
        if mark in found and sum("rule" in item for item in present) == chains.count("\n    ") - 3:
            return
    place = f"{FAMILY} {TABLE}"
    nft.apply(f"add table {place}\ndelete table {place}\ntable {place} {{\n{chains}  chain {mark} {{ }}\n}}\n", namespace=namespace)
