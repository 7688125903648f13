"""Was the host tried before?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class RetryFilter(Filter):
    """Passes hosts on which the server was not tried before. Those are left out without this filter, too."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host where the server could not be built."""
        return "the server could not be built there" if host.host in spec.excluded_hosts else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return (("the server could not be built there", hosts.named(spec.excluded_hosts)),) if spec.excluded_hosts else ()
