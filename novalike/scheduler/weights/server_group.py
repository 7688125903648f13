"""Keep the servers of a group together, or apart, as far as hosts allow."""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.objects.server_group import SOFT_AFFINITY, SOFT_ANTI_AFFINITY
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher


class ServerGroupSoftAffinityWeigher(Weigher):
    """Prefers hosts with more servers of a soft-affinity group."""

    multiplier_option = "soft_affinity_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer how many servers of the group are there."""
        return _others(spec, host, SOFT_AFFINITY)


class ServerGroupSoftAntiAffinityWeigher(Weigher):
    """Prefers hosts with fewer servers of a soft-anti-affinity group."""

    multiplier_option = "soft_anti_affinity_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer how many servers of the group are there, as something bad."""
        return -_others(spec, host, SOFT_ANTI_AFFINITY)


def _others(spec: RequestSpec, host: HostState, policy: str) -> float:
    if spec.group is None or spec.group.policy != policy:
        return 0.0
    return float(spec.group.others.get(host.host, 0))
