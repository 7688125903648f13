"""Are the host's aggregates kept for other projects?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import aggregate_metadata
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState, aggregates_of

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_KEY = "filter_tenant_id"


class AggregateMultiTenancyIsolation(Filter):
    """Passes hosts in no aggregate with `filter_tenant_id`, and those where it names the server's project.

    Keys which begin so (`filter_tenant_id2`) count as well, since a value has room for few projects. The projects may use
    other hosts, too.
    """

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which is kept for others."""
        kept_for = {project for key in host.metadata if key.startswith(_KEY) for project in aggregate_metadata.values(host, key)}
        return "kept for other projects" if kept_for and spec.project_id not in kept_for else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return hosts.kinds(aggregates_of).rejected(lambda host: self.reject(spec, host))
