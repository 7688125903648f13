"""Sharing: the projects with which an image is shared, and whether they want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novalike.clock import Clock
from novalike.context import RequestContext
from novalike.db import images as db
from novalike.db.engine import Database
from novalike.exception import Forbidden, Invalid, NotFound, TooLarge
from novalike.objects.image import Image, ImageMember

if TYPE_CHECKING:
    from novalike.image.local.service import LocalImages

STATUSES = ("pending", "accepted", "rejected")


class Members:
    """Part of LocalImages: the owner adds and removes projects, a project accepts or rejects."""

    def __init__(self, images: LocalImages, database: Database, clock: Clock, *, limit: int) -> None:
        self._images = images
        self._database = database
        self._clock = clock
        self._limit = limit

    def list(self, ctxt: RequestContext, image_id: str) -> list[ImageMember]:
        """Answer all members to the owner, and to a member itself."""
        image = self._shared(self._images.get(ctxt, image_id))
        found = self._database.fetch(db.members, image.id)
        return found if _owns(ctxt, image) else [member for member in found if member.member_id == ctxt.project_id]

    def get(self, ctxt: RequestContext, image_id: str, member_id: str) -> ImageMember:
        """Answer one member to the owner or itself."""
        found = [member for member in self.list(ctxt, image_id) if member.member_id == member_id]
        if not found:
            raise NotFound(f"{member_id[:64]} not found in the member list of the image {image_id}.")
        return found[0]

    def add(self, ctxt: RequestContext, image_id: str, member_id: str) -> ImageMember:
        """Share an image with a project. Raises Duplicate, TooLarge."""
        image = self._shared(self._images.mine(ctxt, image_id))
        if 0 <= self._limit <= len(self._database.fetch(db.members, image.id)):
            raise TooLarge(f"The limit has been exceeded on the number of allowed image members. Maximum: {self._limit}")
        now = self._clock.now().replace(microsecond=0)
        return self._database.write(db.add_member, ImageMember(
            image_id=image.id, member_id=member_id, status="pending", created_at=now, updated_at=now,
        ))

    def set_status(self, ctxt: RequestContext, image_id: str, member_id: str, status: str) -> ImageMember:
        """Accept or reject; only the member itself does that."""
        if status not in STATUSES:
            raise Invalid(f"Invalid value for status: it must be one of {', '.join(STATUSES)}.")
        self._shared(self._images.get(ctxt, image_id))
        self.get(ctxt, image_id, member_id)
        if ctxt.project_id != member_id and not ctxt.is_admin:
            raise Forbidden("Only the member itself may change its status.")
        now = self._clock.now().replace(microsecond=0)
        return self._database.write(db.set_member_status, image_id, member_id, status=status, now=now)

    def remove(self, ctxt: RequestContext, image_id: str, member_id: str) -> None:
        """End sharing. Raises NotFound."""
        image = self._shared(self._images.mine(ctxt, image_id))
        if not self._database.write(db.remove_member, image.id, member_id):
            raise NotFound(f"{member_id[:64]} not found in the member list of the image {image_id}.")

    @staticmethod
    def _shared(image: Image) -> Image:
        if image.visibility != "shared":
            raise Forbidden("Only shared images have members.")
        return image


def _owns(ctxt: RequestContext, image: Image) -> bool:
    return ctxt.is_admin or (ctxt.project_id is not None and ctxt.project_id == image.owner)
