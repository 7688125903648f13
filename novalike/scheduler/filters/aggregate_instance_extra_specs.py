"""Do the host's aggregates have what the flavor's extra specs ask for?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import aggregate_metadata, extra_specs
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState, aggregates_of

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_SCOPE = "aggregate_instance_extra_specs"


class AggregateInstanceExtraSpecsFilter(Filter):
    """Passes hosts whose aggregates' metadata satisfy the flavor's extra specs.

    Keys in the scope `aggregate_instance_extra_specs:` and keys without a scope are checked, with the operators of
    ComputeCapabilitiesFilter; one of several aggregates that satisfies a key is enough.
    """

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host whose aggregates lack a key or have other values of it."""
        for key, requirement in spec.flavor.extra_specs.items():
            scope, colon, name = key.partition(":")
            if colon and scope != _SCOPE:
                continue
            name = name if colon else key
            if name == "hide_hypervisor_id":         # a wish about the guest, which has no scope for history's sake
                continue
            if not any(extra_specs.match(value, requirement) for value in aggregate_metadata.values(host, name)):
                return f"the flavor needs aggregates with {name} {requirement}"
        return None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return hosts.kinds(aggregates_of).rejected(lambda host: self.reject(spec, host))
