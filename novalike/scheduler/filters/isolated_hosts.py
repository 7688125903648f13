"""Are some hosts kept for some images?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class IsolatedHostsFilter(Filter):
    """Lets images of isolated_images only on isolated_hosts.

    Other images may not go there, unless restrict_isolated_hosts_to_isolated_images is off.
    """

    asked_of_images = True

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._images, self._hosts = frozenset(options.isolated_images), frozenset(options.isolated_hosts)

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which does not go with the image."""
        image, there = spec.image_ref in self._images, host.host in self._hosts
        if image and not there:
            return "not one of the hosts for the image"
        if there and not image and self.options.restrict_isolated_hosts_to_isolated_images:
            return "kept for other images"
        return None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        there = hosts.named(self._hosts)
        if spec.image_ref in self._images:
            return (("not one of the hosts for the image", ~there),)
        return (("kept for other images", there),) if self.options.restrict_isolated_hosts_to_isolated_images else ()
