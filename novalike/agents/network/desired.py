"""What the host must be, as far as the agent knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from novalike.objects.network_state import (
    DesiredGroup,
    DesiredMembers,
    DesiredNetwork,
    DesiredNetworks,
    DesiredPort,
    DesiredRouter,
    KnownGroups,
)


class Desired:
    """The host's networks, routers and security groups by id, kept up to date by whole answers and by changes."""

    def __init__(self) -> None:
        self.revision = 0
        self.others = False                              # whether other hosts could take our routers over
        self.networks: dict[str, DesiredNetwork] = {}
        self.routers: dict[str, DesiredRouter] = {}
        self.groups: dict[str, DesiredGroup] = {}
        self.members: dict[str, DesiredMembers] = {}     # of the groups which rules of `groups` name

    def known(self) -> KnownGroups:
        """Answer what need not be told again of security groups."""
        return KnownGroups(
            rules={group.id: group.revision for group in self.groups.values()},
            members={group.id: group.revision for group in self.members.values()},
        )

    def take(self, answer: DesiredNetworks) -> tuple[set[str], set[str]]:
        """Apply an answer; tell which networks and routers are new or different, and which are not wanted any more."""
        changed, gone = _take(self.networks, answer.networks, answer)
        changed_routers, gone_routers = _take(self.routers, answer.routers, answer)
        changed, gone = changed | changed_routers, gone | gone_routers
        self._take_groups(answer)
        self.revision = answer.revision
        if answer.others is not None:
            self.others = answer.others
        return changed, gone

    def _take_groups(self, answer: DesiredNetworks) -> None:
        """Groups which no port here is in, and members of groups which no rule here names, are forgotten."""
        groups = ({} if answer.full else self.groups) | {group.id: group for group in answer.groups}
        members = ({} if answer.full else self.members) | {group.id: group for group in answer.members}
        used = {group_id for network in self.networks.values() for port in network.ports for group_id in port.groups}
        self.groups = {group_id: group for group_id, group in groups.items() if group_id in used}
        named = {rule.group for group in self.groups.values() for rule in group.rules if rule.group}
        self.members = {group_id: group for group_id, group in members.items() if group_id in named}

    def port_at(self, network_id: str, address: str) -> DesiredPort | None:
        """Answer the port of a network which has an address."""
        network = self.networks.get(network_id)
        if network is None:
            return None
        return next((port for port in network.ports if any(a == address for _, a in port.addresses)), None)


def _take(known: dict[str, Any], answered: tuple[Any, ...], answer: DesiredNetworks) -> tuple[set[str], set[str]]:
    fresh = {thing.id: thing for thing in answered}
    gone = (set(known) - set(fresh) if answer.full else set(answer.gone)) & set(known)
    changed = {key for key, thing in fresh.items() if known.get(key) != thing}
    for key in gone:
        del known[key]
    known.update(fresh)
    return changed, gone


def frame(network: DesiredNetwork) -> DesiredNetwork:
    """Answer the network without its ports: what has to be there however many guests there are."""
    return replace(network, ports=())
