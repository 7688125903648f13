"""Keep away from busy hosts."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import IO_OPS, HostState
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers

_READ = attrgetter("io_ops")


class IoOpsWeigher(Weigher):
    """Prefers idle hosts, as its multiplier is negative by default; a positive one prefers busy hosts."""

    multiplier_option = "io_ops_weight_multiplier"
    needs = frozenset({IO_OPS})

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer how many servers are being built, moved, saved and the like there."""
        return host.io_ops

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return hosts.numbers(_READ)
