"""Is the host busy?"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import aggregate_metadata
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import IO_OPS, HostState, aggregates_of

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_IO_OPS = attrgetter("io_ops")


class IoOpsFilter(Filter):
    """Passes hosts on which fewer than max_io_ops_per_host servers are being built, moved, saved and the like."""

    needs = frozenset({IO_OPS})

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a busy host."""
        return None if host.io_ops < self.limit(host) else "busy with other servers"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return (("busy with other servers", hosts.numbers(_IO_OPS) >= self.options.max_io_ops_per_host),)

    def limit(self, host: HostState) -> int:
        """Answer the host's limit."""
        return self.options.max_io_ops_per_host


class AggregateIoOpsFilter(IoOpsFilter):
    """IoOpsFilter with limits per aggregate, by the metadata key max_io_ops_per_host; of several the smallest."""

    def limit(self, host: HostState) -> int:
        """Answer the host's limit."""
        return aggregate_metadata.smallest(host, "max_io_ops_per_host", self.options.max_io_ops_per_host)

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return (("busy with other servers", hosts.numbers(_IO_OPS) >= hosts.kinds(aggregates_of).numbers(self.limit)),)
