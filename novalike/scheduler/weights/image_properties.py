"""Servers of like images together."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import IMAGE_PROPERTIES, HostState
from novalike.scheduler.options import Options
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers


class ImagePropertiesWeigher(Weigher):
    """Prefers hosts with servers whose images have the same properties, by image_props_weight_setting (empty: all alike).

    Off, and what it needs unread, while image_props_weight_multiplier is 0: aggregates cannot turn it on alone.
    """

    multiplier_option = "image_props_weight_multiplier"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._weights = dict(options.image_properties_weights)
        self.needs = frozenset({IMAGE_PROPERTIES}) if options.image_props_weight_multiplier else frozenset()

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer how many servers share each property, summed with the properties' weights."""
        if not host.image_properties:
            return 0.0
        return sum(
            host.image_properties.get((name, str(value)), 0) * (self._weights.get(name, 0.0) if self._weights else 1.0)
            for name, value in spec.image_properties.items()
        )

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        found = hosts.kinds(_properties)
        return found.spread([self.weigh(spec, one) for one in found.examples])


def _properties(host: HostState) -> Hashable:
    return frozenset(host.image_properties.items())
