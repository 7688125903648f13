"""The image service as the rest of the code uses it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from novalike.context import RequestContext
from novalike.objects.image import Image, ImageSource, ImageTarget


class ImageClient(Protocol):
    """What compute needs of an image service. Every method acts with the rights of the context's project."""

    def get(self, ctxt: RequestContext, image_id: str) -> Image:
        """Answer an image the caller may see. Raises NotFound."""
        ...

    def list(
        self, ctxt: RequestContext, *, limit: int = 1000, marker: str | None = None, properties: Mapping[str, str] | None = None,
    ) -> list[Image]:
        """Answer images the caller may see, newest first; with `properties` those which have all of these."""
        ...

    def source(self, ctxt: RequestContext, image: Image) -> ImageSource:
        """Answer how a hypervisor fetches the bytes of an image which `get` has just answered, good for ten minutes."""
        ...

    def target(self, ctxt: RequestContext, image: Image) -> ImageTarget:
        """Answer how a hypervisor sends the bytes of a queued image, to begin within ten minutes.

        Where two hosts, or two attempts of one, hold a target of the same image, the later one wins.
        """
        ...

    def declare(self, ctxt: RequestContext, image_id: str, *, disk_format: str, container_format: str) -> Image:
        """Say what the bytes of a queued image are going to be. Raises NotFound, Forbidden, Conflict when it has bytes already."""
        ...

    def create(self, ctxt: RequestContext, image: Image) -> Image:
        """Make an image record in status queued. Raises OverQuota, Forbidden."""
        ...

    def set_properties(self, ctxt: RequestContext, image_id: str, properties: Mapping[str, str]) -> Image:
        """Replace all free properties of an image. Raises NotFound, Forbidden (not the caller's; reserved names), OverQuota."""
        ...

    def upload(self, ctxt: RequestContext, image_id: str, chunks: Iterable[bytes]) -> Image:
        """Store the bytes; the declared format is verified. Raises Invalid, Conflict."""
        ...

    def download(self, ctxt: RequestContext, image_id: str) -> Iterator[bytes]:
        """Answer the bytes. Raises NotFound."""
        ...

    def delete(self, ctxt: RequestContext, image_id: str) -> None:
        """Remove an image. Raises NotFound, Forbidden (protected), Conflict."""
        ...
