"""What the host must be, as far as the agent knows."""

from __future__ import annotations

from dataclasses import replace

from novalike.objects.network_state import (
    DesiredGroup,
    DesiredMembers,
    DesiredNetwork,
    DesiredNetworks,
    DesiredPort,
    KnownGroups,
)


class Desired:
    """The host's networks and security groups by id, kept up to date by whole answers and by changes."""

    def __init__(self) -> None:
        self.revision = 0
        self.networks: dict[str, DesiredNetwork] = {}
        self.groups: dict[str, DesiredGroup] = {}
        self.members: dict[str, DesiredMembers] = {}     # of the groups which rules of `groups` name

    def known(self) -> KnownGroups:
        """Answer what need not be told again of security groups."""
        return KnownGroups(
            rules={group.id: group.revision for group in self.groups.values()},
            members={group.id: group.revision for group in self.members.values()},
        )

    def take(self, answer: DesiredNetworks) -> tuple[set[str], set[str]]:
        """Apply an answer; tell which networks are new or different, and which are not wanted any more."""
        fresh = {network.id: network for network in answer.networks}
        gone = (set(self.networks) - set(fresh) if answer.full else set(answer.gone)) & set(self.networks)
        changed = {network_id for network_id, network in fresh.items() if self.networks.get(network_id) != network}
        for network_id in gone:
            del self.networks[network_id]
        self.networks.update(fresh)
        self._take_groups(answer)
        self.revision = answer.revision
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


def frame(network: DesiredNetwork) -> DesiredNetwork:
    """Answer the network without its ports: what has to be there however many guests there are."""
    return replace(network, ports=())
