"""Images fetched ahead: one after the other, in the background, and never an error for anybody."""

import threading

from novalike.compute.image_caching import ImageCachingEndpoint
from novalike.exception import BuildFailed
from novalike.objects.image import ImageSource
from novalike.workers import Workers


class Host:
    """As much of a ComputeHost as is needed."""

    def __init__(self, driver):
        self.driver, self.fetchers = driver, Workers("image", 1)

    @staticmethod
    def signed(place):
        return place


class Fetcher:
    def __init__(self):
        self.cached, self.go_on = [], threading.Event()

    def cache_image(self, source):
        self.go_on.wait(5)
        if source.image_id == "bad":
            raise BuildFailed("no")
        self.cached.append(source.image_id)


def test_fetching():
    driver = Fetcher()
    host = Host(driver)
    endpoint = ImageCachingEndpoint(host)
    for image in ("one", "bad", "two"):
        endpoint.cache_image(None, source=ImageSource(image_id=image, url="http://x", disk_format="raw"))
    assert driver.cached == [], "whoever asks does not wait"
    driver.go_on.set()
    host.fetchers.stop(5)
    assert driver.cached == ["one", "two"]


def test_a_driver_which_keeps_no_images():
    ImageCachingEndpoint(Host(object())).cache_image(None, source=ImageSource(image_id="one", url="http://x", disk_format="raw"))
