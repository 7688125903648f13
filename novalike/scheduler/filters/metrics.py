"""Does the host tell what is weighed?"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import METRICS, HostState
from novalike.scheduler.options import Options

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class MetricsFilter(Filter):
    """Passes hosts which report every metric of [metrics]weight_setting."""

    needs = frozenset({METRICS})

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._names = tuple(options.metrics_weights)

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which does not report one."""
        return "without metrics" if any(name not in host.metrics for name in self._names) else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return hosts.kinds(_reported).rejected(lambda host: self.reject(spec, host)) if self._names else ()


def _reported(host: HostState) -> Hashable:
    return frozenset(host.metrics)
