"""Port security of a host: what its guests may send (guard), and what their security groups let pass (filters).

Two tables, changed together in one transaction, and only where they differ from what is wanted:

- of family `bridge`: frames are checked where they enter a bridge, and again where they are forwarded from or to a guest's tap.
  Ports with the same security groups share a chain; a port costs elements of sets, a change of a rule costs one chain, and a
  change of a remote group's members costs elements of one set.
- of family `inet`: bridges have no connection tracking of their own, but hand packets to that of IP (br_netfilter). Before they
  come back to be forwarded those of a connection which was let pass before are marked. After that, what no agent's table has
  looked at is dropped: it is of a tap which should not be in our bridge, or not yet.
  Every network is a tracking zone of its own, so that networks may use the same addresses.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping

from novalike.agents.network import filters, guard, limits, names
from novalike.agents.network.tables import Contents, Present, Table, present
from novalike.objects.network_state import DesiredGroup, DesiredMembers, DesiredNetwork, DesiredPort
from novalike.privileged import links, nft

LOG = logging.getLogger(__name__)
TABLE = "novalike_guard"                         # and the owner: every agent has tables of its own
#: Bits of a packet's mark, while it crosses a bridge. Agents which share a host must have the same.
_ESTABLISHED, _FROM, _TO = "0x01000000", "0x02000000", "0x04000000"
_BOTH, _NONE = "0x06000000", "0xf8ffffff"

_FORWARDING = f"""\
  map from_guest {{ type ifname : verdict; }}
  map to_guest {{ type ifname : verdict; }}
  set unprotected {{ type ifname; }}
  chain always_from {{
    ether type arp accept
    ether type ip udp sport 68 udp dport 67 accept
    ether type ip6 udp sport 546 udp dport 547 accept
    icmpv6 type {{ nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report }} accept
  }}
  chain always_to {{
    ether type arp accept
    ether type ip udp sport 67 udp dport 68 accept
    ether type ip6 udp sport 547 udp dport 546 accept
    icmpv6 type {{ nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query }} accept
  }}
  chain closed {{
    drop
  }}
  chain from_guests {{
    type filter hook forward priority -200; policy accept;
    iifname != "tap*" meta mark set meta mark | {_FROM}
    iifname @unprotected meta mark set meta mark | {_FROM}
    iifname @taps meta mark set meta mark | {_FROM}
    iifname vmap @from_guest
  }}
  chain to_guests {{
    type filter hook forward priority -199; policy accept;
    oifname != "tap*" meta mark set meta mark | {_TO}
    oifname @unprotected meta mark set meta mark | {_TO}
    oifname @taps meta mark set meta mark | {_TO}
    oifname vmap @to_guest
  }}
  chain tunnels {{
    type filter hook forward priority -200; policy accept;
    iifname "{names.INNER}*" oifname "{names.TUNNEL}*" drop
    iifname "{names.TUNNEL}*" oifname "{names.INNER}*" drop
  }}
"""
_TRACKING = f"""\
  map zones {{ typeof iifname : ct zone; }}
  chain choose {{
    type filter hook prerouting priority -300; policy accept;
    ct zone set iifname map @zones
  }}
  chain note {{
    type filter hook prerouting priority -150; policy accept;
    iifname != @zones accept
    meta mark set meta mark & {_NONE}
    ct state established,related meta mark set meta mark | {_ESTABLISHED}
  }}
  chain close {{
    type filter hook forward priority 0; policy accept;
    iifname @zones meta mark & {_BOTH} != {_BOTH} drop
  }}
"""


class Firewall:
    """Keeps an owner's tables as the ports and security groups need them."""

    def __init__(self, owner: str) -> None:
        name = f"{TABLE}_{owner}"
        self._tables = (
            Table(
                family="bridge", name=name, text=guard.TEXT + limits.TEXT + _FORWARDING,
                sets=guard.SETS | limits.SETS | {"from_guest", "to_guest", "unprotected"},
                chains=guard.CHAINS | limits.CHAINS | {"always_from", "always_to", "closed", "from_guests", "to_guests", "tunnels"},
            ),
            Table(family="inet", name=name, text=_TRACKING, sets=frozenset({"zones"}), chains=frozenset({"choose", "note", "close"})),
        )
        self._present: list[Present | None] | None = None      # as far as we know; None: the kernel must be asked

    def ensure(
        self, networks: Collection[DesiredNetwork], groups: Mapping[str, DesiredGroup], members: Mapping[str, DesiredMembers], *,
        thorough: bool,
    ) -> bool:
        """Make the tables say what these networks' ports need, looking at the kernel first if `thorough`; answer whether
        anything had to be changed. Raises NovalikeError, and then nothing was changed."""
        if self._present is None or thorough:
            self._present = [table.read(nft.show(table.family, table.name)) for table in self._tables]
        there, self._present = self._present, None
        wanted = (bridge(networks, groups, members), tracking(networks, there[1]))
        script = "".join(table.script(now, then) for table, now, then in zip(self._tables, there, wanted, strict=True))
        if script:
            nft.apply(script)
        self._present = [present(contents) for contents in wanted]
        return bool(script)

    def tables(self) -> set[tuple[str, str]]:
        """Answer the tables which are known to be there, as (family, name)."""
        return {(table.family, table.name) for table in self._tables} if self._present is not None else set()

    @staticmethod
    def track(device: str) -> None:
        """Have a bridge hand its packets to connection tracking. Without that nothing is ever the answer to something, and
        only what rules let pass by themselves passes. Raises NovalikeError."""
        nft.require_bridged()
        here = links.show(device=device)[0]["linkinfo"]["info_data"]
        if not here.get("nf_call_iptables") or not here.get("nf_call_ip6tables"):
            links.change([f"link set dev {device} type bridge nf_call_iptables 1 nf_call_ip6tables 1"])

    def remove(self) -> None:
        """Remove the tables."""
        self._present = None
        for table in self._tables:
            nft.delete(table.family, table.name)

    @staticmethod
    def remove_ownerless() -> None:
        """Remove the table which agents had in common when there were no owners."""
        nft.delete("bridge", TABLE)


def bridge(
    networks: Iterable[DesiredNetwork], groups: Mapping[str, DesiredGroup], members: Mapping[str, DesiredMembers],
) -> Contents:
    """Answer what the bridges' table shall hold. A group which is not known lets nothing pass."""
    elements: dict[str, set[str]] = {name: set() for name in (*guard.SETS, *limits.SETS, "from_guest", "to_guest", "unprotected")}
    chains: dict[str, tuple[str, ...]] = {}
    used: set[str] = set()
    for network in networks:
        for port in network.ports:
            limits.add(port, elements, chains)
            if not port.up:
                verdicts = ("goto closed", "goto closed")
            elif port.guarded:
                verdicts = _profile(port, groups, chains)
                used |= set(port.groups)
            else:
                elements["unprotected"].add(port.tap)
                continue
            for name, found in guard.elements(port).items():
                elements[name] |= found
            elements["from_guest"].add(f"{port.tap} : {verdicts[0]}")
            elements["to_guest"].add(f"{port.tap} : {verdicts[1]}")
    declared: dict[str, str] = {}
    for group in (groups[group_id] for group_id in sorted(used) if group_id in groups):
        chains |= {
            filters.chain(group.id, direction): lines for direction in (filters.INGRESS, filters.EGRESS)
            if (lines := filters.rules(group, direction))
        }
        for remote in filters.remotes(group):
            for version in (4, 6):
                name = filters.members_set(remote, version)
                declared[name] = f"type ipv{version}_addr; flags interval;"
                elements[name] = set(filters.members(members[remote], version)) if remote in members else set()
    return Contents(
        elements={name: frozenset(found) for name, found in elements.items()}, declared=declared, chains=chains,
    )


def _profile(port: DesiredPort, groups: Mapping[str, DesiredGroup], chains: dict[str, tuple[str, ...]]) -> tuple[str, str]:
    """Answer the verdicts for what comes from a port and for what goes to it, by chains which all ports of its groups share."""
    mine = [groups[group_id] for group_id in sorted(set(port.groups)) if group_id in groups]
    # Neutron allows no port in groups of both kinds; should there be one, it is filtered as its stateful ones say.
    stateful = any(group.stateful for group in mine) or not mine
    text = f"{stateful} {' '.join(group.id for group in mine)}"
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    verdicts = []
    for word, direction in (("from", filters.EGRESS), ("to", filters.INGRESS)):
        name = f"{word}_{mark}"
        if name not in chains:
            chains[name] = (
                *([f"meta mark & {_ESTABLISHED} == {_ESTABLISHED} accept"] if stateful else []), f"jump always_{word}",
                *(f"jump {filters.chain(group.id, direction)}" for group in mine if filters.rules(group, direction)), "drop",
            )
        verdicts.append(f"goto {name}")
    return verdicts[0], verdicts[1]


def tracking(networks: Iterable[DesiredNetwork], there: Present | None) -> Contents:
    """Answer a zone for every network's bridge: the one it has, else one which no other has."""
    wanted = sorted(network.bridge for network in networks)
    present_zones = (element.split(" : ") for element in (there.elements["zones"] if there else ()))
    zones = {name: int(zone) for name, zone in present_zones if name in wanted}
    taken = set(zones.values())
    for name in wanted:
        if name not in zones:
            zone = 1 + int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 65535
            while zone in taken:
                zone = 1 + zone % 65535
            zones[name] = zone
            taken.add(zone)
    return Contents(elements={"zones": frozenset(f"{name} : {zone}" for name, zone in zones.items())})
