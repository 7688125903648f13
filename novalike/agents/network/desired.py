"""What the host must be, as far as the agent knows."""

from __future__ import annotations

from dataclasses import replace

from novalike.objects.network_state import DesiredNetwork, DesiredNetworks, DesiredPort


class Desired:
    """The host's networks by id, kept up to date by whole answers and by changes."""

    def __init__(self) -> None:
        self.revision = 0
        self.networks: dict[str, DesiredNetwork] = {}

    def take(self, answer: DesiredNetworks) -> tuple[set[str], set[str]]:
        """Apply an answer; tell which networks are new or different, and which are not wanted any more."""
        fresh = {network.id: network for network in answer.networks}
        gone = (set(self.networks) - set(fresh) if answer.full else set(answer.gone)) & set(self.networks)
        changed = {network_id for network_id, network in fresh.items() if self.networks.get(network_id) != network}
        for network_id in gone:
            del self.networks[network_id]
        self.networks.update(fresh)
        self.revision = answer.revision
        return changed, gone

    def port_at(self, network_id: str, address: str) -> DesiredPort | None:
        """Answer the port of a network which has an address."""
        network = self.networks.get(network_id)
        if network is None:
            return None
        return next((port for port in network.ports if any(a == address for _, a in port.addresses)), None)


def frame(network: DesiredNetwork) -> DesiredNetwork:
    """Answer the network without its ports: what has to be there however many guests there are."""
    return replace(network, ports=())
