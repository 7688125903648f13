"""Does the host run one flavor only?"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import FLAVORS, HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_FLAVORS = attrgetter("flavors")


class TypeAffinityFilter(Filter):
    """Passes empty hosts, and those whose servers all are of this flavor."""

    needs = frozenset({FLAVORS})

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with a server of another flavor."""
        return "has servers of other flavors" if host.flavors - {spec.flavor.flavorid} else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return hosts.kinds(_FLAVORS).rejected(lambda host: self.reject(spec, host))
