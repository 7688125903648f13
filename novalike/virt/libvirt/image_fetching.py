"""Images fetched ahead of servers."""

from __future__ import annotations

from novalike.objects.image import ImageSource
from novalike.virt.libvirt.core import LibvirtCore


class FetchedImages(LibvirtCore):
    """The capability ImageFetcher."""

    def cache_image(self, source: ImageSource) -> None:
        """See virt.driver.ImageFetcher."""
        self._images.ensure(source)
