"""Are the host's aggregates kept for other images?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import aggregate_metadata
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState, aggregates_of
from novalike.scheduler.options import Options

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class AggregateImagePropertiesIsolation(Filter):
    """Passes hosts whose aggregates' metadata name no other value for a property which the image has.

    With aggregate_image_properties_isolation_namespace only keys which begin with it and the separator count.
    """

    asked_of_images = True

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        namespace = options.aggregate_image_properties_isolation_namespace
        self._prefix = f"{namespace}{options.aggregate_image_properties_isolation_separator}" if namespace else ""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host kept for images with another value of a property."""
        for key in host.metadata:
            value = spec.image_properties.get(key) if key.startswith(self._prefix) else None
            if value and str(value) not in aggregate_metadata.values(host, key):
                return f"not for images with {key} {value}"
        return None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return hosts.kinds(aggregates_of).rejected(lambda host: self.reject(spec, host))
