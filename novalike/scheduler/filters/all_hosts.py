"""No filter at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class AllHostsFilter(Filter):
    """Passes every host."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject nothing."""
        return None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return ()
