"""Any host that can take the server."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.drivers.base import Driver, with_necessary
from novalike.scheduler.filters.availability_zone import AvailabilityZoneFilter
from novalike.scheduler.filters.compute import ComputeFilter
from novalike.scheduler.filters.core import CoreFilter
from novalike.scheduler.filters.disk import DiskFilter
from novalike.scheduler.filters.ram import RamFilter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options
from novalike.scheduler.select import Decision

#: What no driver can do without: a host which is there, in the zone, with room.
ESSENTIAL = (ComputeFilter, AvailabilityZoneFilter, RamFilter, CoreFilter, DiskFilter)


class ChanceScheduler(Driver):
    """Takes any host which is up, in the zone and large enough, by chance."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.filters = with_necessary([kind(options) for kind in ESSENTIAL], options)

    def decide(self, spec: RequestSpec, hosts: Sequence[HostState], seed: str) -> Decision:
        """Answer the hosts in an order of chance, which the seed decides."""
        decision = super().decide(spec, hosts, seed)
        ranked = list(decision.ranked)
        random.Random(seed).shuffle(ranked)  # noqa: S311  # a replayable choice, not a secret
        return replace(decision, ranked=tuple(ranked))
