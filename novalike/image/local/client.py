"""The image client over our own image service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from novalike.context import RequestContext
from novalike.db.images import Wanted
from novalike.exception import Conflict
from novalike.image.local.service import LocalImages
from novalike.image.local.tickets import HEADER, UPLOAD
from novalike.objects.image import Image, ImageSource, ImageTarget


class LocalImageClient:
    """Implements image.client.ImageClient."""

    def __init__(self, images: LocalImages) -> None:
        self._images = images
        endpoint = images.section.internal_endpoint or images.conf.endpoints.image
        self._endpoint = endpoint.rstrip("/")

    def get(self, ctxt: RequestContext, image_id: str) -> Image:
        return self._images.get(ctxt, image_id)

    def list(
        self, ctxt: RequestContext, *, limit: int = 1000, marker: str | None = None, properties: Mapping[str, str] | None = None,
    ) -> list[Image]:
        return self._images.list(ctxt, Wanted(limit=limit, marker=marker, properties=dict(properties or {})))

    def source(self, ctxt: RequestContext, image: Image) -> ImageSource:
        if image.status != "active":
            raise Conflict(f"Image {image.id} is not active: it is {image.status}.")
        return ImageSource(
            image_id=image.id, url=f"{self._endpoint}/v2/images/{image.id}/file", headers={HEADER: self._images.tickets.issue(image.id)},
            disk_format=image.disk_format or "raw", size=image.size, os_hash_algo=image.os_hash_algo, os_hash_value=image.os_hash_value,
        )

    def target(self, ctxt: RequestContext, image: Image) -> ImageTarget:
        return ImageTarget(
            image_id=image.id, url=f"{self._endpoint}/v2/images/{image.id}/file",
            headers={HEADER: self._images.tickets.issue(image.id, UPLOAD)},
        )

    def declare(self, ctxt: RequestContext, image_id: str, *, disk_format: str, container_format: str) -> Image:
        image = self._images.get(ctxt, image_id)
        if (image.disk_format, image.container_format) == (disk_format, container_format):
            return image
        if image.status != "queued":
            raise Conflict(f"Image {image_id} has its bytes already: it is {image.status}.")
        return self._images.update(ctxt, replace(image, disk_format=disk_format, container_format=container_format))

    def create(self, ctxt: RequestContext, image: Image) -> Image:
        if image.visibility == "public" and not ctxt.is_admin:
            image = replace(image, visibility="private")   # a copy of a public image is not public by itself
        return self._images.create(ctxt, image)

    def set_properties(self, ctxt: RequestContext, image_id: str, properties: Mapping[str, str]) -> Image:
        return self._images.update(ctxt, replace(self._images.mine(ctxt, image_id), properties=dict(properties)))

    def upload(self, ctxt: RequestContext, image_id: str, chunks: Iterable[bytes]) -> Image:
        return self._images.upload(ctxt, image_id, chunks)

    def download(self, ctxt: RequestContext, image_id: str) -> Iterator[bytes]:
        return self._images.read(ctxt, self._images.get(ctxt, image_id))

    def delete(self, ctxt: RequestContext, image_id: str) -> None:
        self._images.delete(ctxt, image_id)
