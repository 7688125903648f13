"""Images fetched ahead of servers: kept as a set of ids."""

from __future__ import annotations

from novalike.objects.image import ImageSource
from novalike.virt.fake.core import FakeCore


class FetchedImages(FakeCore):
    """The capability ImageFetcher."""

    def cache_image(self, source: ImageSource) -> None:
        """See virt.driver.ImageFetcher."""
        self.hypervisor.cached_images.add(source.image_id)
