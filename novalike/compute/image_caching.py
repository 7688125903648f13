"""Fetching images into this host's cache before any server needs them."""

from __future__ import annotations

import logging

from novalike.compute.host import ComputeHost
from novalike.context import RequestContext
from novalike.exception import NovalikeError
from novalike.objects.image import ImageSource
from novalike.rpc.compute import ImageCaching
from novalike.virt.driver import ImageFetcher

LOG = logging.getLogger(__name__)


class ImageCachingEndpoint(ImageCaching):
    """Fetches one image after the other, so that building servers keeps the better part of the network."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host

    def cache_image(self, ctxt: RequestContext, *, source: ImageSource) -> None:
        if not isinstance(self._host.driver, ImageFetcher):
            LOG.warning("This hypervisor keeps no images: %s is not fetched", source.image_id)
            return
        driver = self._host.driver

        def fetch() -> None:
            try:
                driver.cache_image(self._host.signed(source))
            except NovalikeError as error:
                LOG.warning("Image %s could not be fetched ahead: %s %s", source.image_id, error, error.details)
        self._host.fetchers.submit(fetch)
