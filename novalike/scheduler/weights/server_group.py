"""Keep the servers of a group together, or apart, as far as hosts allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.objects.server_group import SOFT_AFFINITY, SOFT_ANTI_AFFINITY
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers


class ServerGroupSoftAffinityWeigher(Weigher):
    """Prefers hosts with more servers of a soft-affinity group."""

    multiplier_option = "soft_affinity_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer how many servers of the group are there."""
        return _others(spec, host, SOFT_AFFINITY)

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return _weights(self, spec, hosts, SOFT_AFFINITY)


class ServerGroupSoftAntiAffinityWeigher(Weigher):
    """Prefers hosts with fewer servers of a soft-anti-affinity group."""

    multiplier_option = "soft_anti_affinity_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer how many servers of the group are there, as something bad."""
        return -_others(spec, host, SOFT_ANTI_AFFINITY)

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return _weights(self, spec, hosts, SOFT_ANTI_AFFINITY)


def _others(spec: RequestSpec, host: HostState, policy: str) -> float:
    if spec.group is None or spec.group.policy != policy:
        return 0.0
    return float(spec.group.others.get(host.host, 0))


def _weights(weigher: Weigher, spec: RequestSpec, hosts: Columns, policy: str) -> Numbers | float:
    if spec.group is None or spec.group.policy != policy:
        return 0.0
    weights = hosts.zeros()
    for host in spec.group.others:
        for place in hosts.places(host):
            weights[place] = weigher.weigh(spec, hosts.states[place])
    return weights
