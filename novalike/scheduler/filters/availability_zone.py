"""Is the host where the user wants the server?"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_ZONE = attrgetter("availability_zone")


class AvailabilityZoneFilter(Filter):
    """Passes hosts of the requested availability zone; all hosts when none is requested."""

    def remedy(self, spec: RequestSpec, host: HostState) -> str | None:
        """Answer the host's zone, which is no secret."""
        return f"in zone {host.availability_zone}"

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host of another zone."""
        if not spec.availability_zone or spec.availability_zone == host.availability_zone:
            return None
        return f"not in zone {spec.availability_zone}"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return hosts.kinds(_ZONE).rejected(lambda host: self.reject(spec, host)) if spec.availability_zone else ()
