"""An image service in memory, which survives every crash of a conductor or host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, BinaryIO

from novalike.exception import Conflict, Duplicate, Forbidden, Invalid, NotFound, NovalikeError, Unavailable
from novalike.objects.image import Image, ImageSource, ImageTarget
from tests.factories_instances import NOW

#: What images that tests put here hold.
CONTENT = b"an image"


class FakeImages:
    """Implements ImageClient. `point` is called between any two changes; `away` makes every call fail, `refusing` deletes."""

    def __init__(self, *images: Image, point: Callable[[str], None] = lambda name: None) -> None:
        self.images = {image.id: image for image in images}
        self.contents: dict[str, bytes] = {}
        self.away = False
        self.refusing = False
        self._point = point
        self._made = 0

    def add(self, image: Image) -> Image:
        self.images[image.id] = image
        return image

    def get(self, ctxt: Any, image_id: str) -> Image:
        self._answer()
        image = self.images.get(image_id)
        if image is None or not (image.visibility == "public" or image.owner == ctxt.project_id or ctxt.is_admin):
            raise NotFound(f"Image {image_id} could not be found.")
        return image

    def list(
        self, ctxt: Any, *, limit: int = 1000, marker: str | None = None, properties: Mapping[str, str] | None = None,
    ) -> list[Image]:
        self._answer()
        seen = [
            image for image in self.images.values()
            if (image.visibility == "public" or image.owner == ctxt.project_id or ctxt.is_admin)
            and (properties or {}).items() <= image.properties.items()
        ]
        ids = sorted((str(image.created_at or ""), image.id) for image in seen)
        ids.reverse()
        found = [self.images[image_id] for _, image_id in ids]
        if marker is not None:
            found = found[[image.id for image in found].index(marker) + 1:]
        return found[:limit]

    def source(self, ctxt: Any, image: Image) -> ImageSource:
        if image.status != "active":
            raise Conflict(f"Image {image.id} is not active: it is {image.status}.")
        return ImageSource(image_id=image.id, url=f"http://images/{image.id}", disk_format=image.disk_format or "raw", size=image.size)

    def target(self, ctxt: Any, image: Image) -> ImageTarget:
        self._answer()
        return ImageTarget(image_id=image.id, url=f"http://images/{image.id}")

    def declare(self, ctxt: Any, image_id: str, *, disk_format: str, container_format: str) -> Image:
        image = self.get(ctxt, image_id)
        if image.status != "queued":
            raise Conflict(f"Image {image_id} has its bytes already.")
        self._point("before declaring an image")
        return self.add(replace(image, disk_format=disk_format, container_format=container_format))

    def create(self, ctxt: Any, image: Image) -> Image:
        self._answer()
        if image.id in self.images:
            raise Duplicate(f"Image {image.id} exists.")
        self._made += 1
        return self.add(replace(
            image, owner=image.owner or ctxt.project_id, status="queued", created_at=NOW + timedelta(seconds=self._made),
        ))

    def upload(self, ctxt: Any, image_id: str, chunks: Iterable[bytes]) -> Image:
        self.get(ctxt, image_id)
        return self.store(image_id, b"".join(chunks))

    def store(self, image_id: str, content: bytes) -> Image:
        """Fill a queued image, as whoever holds its target may."""
        self._answer()
        image = self.images.get(image_id)
        if image is None:
            raise NotFound(f"Image {image_id} could not be found.")
        if image.status != "queued":
            raise Conflict(f"Image {image_id} is {image.status}.")
        if image.disk_format is None:
            raise Invalid("No disk_format is declared.")
        self.contents[image_id] = content
        return self.add(replace(image, status="active", size=len(content)))

    def download(self, ctxt: Any, image_id: str) -> Iterator[bytes]:
        self.get(ctxt, image_id)
        yield self.contents.get(image_id, CONTENT)

    def fetch(self, source: ImageSource) -> bytes:
        """Answer the bytes of a source, as a hypervisor gets them."""
        return self.contents.get(source.image_id, CONTENT)

    def set_properties(self, ctxt: Any, image_id: str, properties: Mapping[str, str]) -> Image:
        image = self.get(ctxt, image_id)
        if image.owner != ctxt.project_id and not ctxt.is_admin:
            raise Forbidden(f"You are not permitted to modify image {image_id}.")
        return self.add(replace(image, properties=dict(properties)))

    def delete(self, ctxt: Any, image_id: str) -> None:
        self.get(ctxt, image_id)
        if self.refusing:
            raise Forbidden(f"Image {image_id} is protected.")
        self._point("before deleting an image")
        self.images.pop(image_id, None)
        self.contents.pop(image_id, None)
        self._point("after deleting an image")

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("The image service does not answer now.")


class MemoryUpload:
    """Sends to a FakeImages. `point` is called before and after the bytes arrive."""

    def __init__(self, images: FakeImages, target: ImageTarget, point: Callable[[str], None] = lambda name: None) -> None:
        self._images, self._target, self._point = images, target, point

    def send(self, file: BinaryIO, *, go_on: Callable[[], None]) -> int:
        content = file.read()
        go_on()
        self._point("before an image arrives")
        try:
            self._images.store(self._target.image_id, content)
        except NovalikeError as error:
            raise NovalikeError(f"The image service refused the image: {error}") from error
        self._point("after an image arrived")
        return len(content)

    def abort(self) -> None:
        """It never waits."""
