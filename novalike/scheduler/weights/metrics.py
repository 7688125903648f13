"""What monitors measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import METRICS, HostState
from novalike.scheduler.options import Options
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers


class MetricsWeigher(Weigher):
    """Weighs hosts by the sum of their metrics times the ratios of [metrics]weight_setting.

    A host which does not report all of them weighs weight_of_unavailable; with `required` MetricsFilter refuses it.
    """

    multiplier_option = "metrics_weight_multiplier"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._ratios = dict(options.metrics_weights)
        self.needs = frozenset({METRICS}) if self._ratios else frozenset()

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the sum."""
        return self._measured(host)

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return hosts.numbers(self._measured) if self._ratios else 0.0

    def _measured(self, host: HostState) -> float:
        if any(name not in host.metrics for name in self._ratios):
            return self.options.metrics_weight_of_unavailable
        total = 0.0
        for name, ratio in self._ratios.items():
            total += host.metrics[name] * ratio
        return total
