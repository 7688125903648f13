"""The host with the least on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.drivers.base import Driver, with_necessary
from novalike.scheduler.drivers.chance import ESSENTIAL
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options
from novalike.scheduler.select import Decision, Ranked


class SimpleScheduler(Driver):
    """Takes the host with the fewest vCPUs promised; of those the one with the fewest servers, then with the most free memory."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.filters = with_necessary([kind(options) for kind in ESSENTIAL], options)

    def decide(self, spec: RequestSpec, hosts: Sequence[HostState], seed: str) -> Decision:
        """Answer the hosts with the emptiest first; their weight is the number of vCPUs promised, below zero."""
        decision = super().decide(spec, hosts, seed)
        emptiest = sorted(
            (one.host for one in decision.ranked), key=lambda host: (host.used.vcpus, host.instances, -host.free_ram_mb),
        )
        return replace(decision, ranked=tuple(Ranked(host, -float(host.used.vcpus)) for host in emptiest))
