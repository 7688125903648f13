"""The default: filters and weighers which operators choose."""

from __future__ import annotations

from novalike.scheduler import plugins
from novalike.scheduler.drivers.base import Driver, with_necessary
from novalike.scheduler.filters.metrics import MetricsFilter
from novalike.scheduler.options import Options


class FilterScheduler(Driver):
    """Asks the filters of [filter_scheduler]enabled_filters, then weighs what is left by those of weight_classes."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        filters = plugins.load_filters(options.section.enabled_filters, options)
        if options.metrics_weights and options.metrics_required and not any(isinstance(one, MetricsFilter) for one in filters):
            filters += (MetricsFilter(options),)
        self.filters = with_necessary(filters, options)
        self.weighers = plugins.load_weighers(options.section.weight_classes, options)
