"""The local image service of one process: records in our database, bytes in a store directory."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from oslo_config import cfg

from novalike.clock import Clock
from novalike.context import RequestContext
from novalike.db import images as db
from novalike.db.cells import Cells
from novalike.db.images import Viewer, Wanted
from novalike.exception import Conflict, Forbidden, Invalid, NotFound, TooLarge
from novalike.image import inspector
from novalike.image.local import rules
from novalike.image.local.members import Members
from novalike.image.local.store import Incoming, Store, reading
from novalike.image.local.tickets import Tickets
from novalike.objects.image import Image
from novalike.periodic import Periodic

LOG = logging.getLogger(__name__)

#: Seconds between two signs of life of an upload.
_HEARTBEAT = 15


class LocalImages:
    """Everything the image API and the local client need; one per process. Every method acts with the caller's rights:
    images it may not see answer NotFound, those it may not change Forbidden.
    """

    def __init__(self, conf: cfg.ConfigOpts, cells: Cells, clock: Clock) -> None:
        self.conf = conf
        self.section = conf.image
        self.clock = clock
        self._database = cells.shared
        self.store = Store(Path(conf.image.store_directory))
        self.tickets = Tickets(cells.shared, clock, lifetime=conf.image.ticket_lifetime)
        self.members = Members(self, cells.shared, clock, limit=conf.image.image_member_quota)
        self.periodics = (
            Periodic("dead image uploads", 60, self.reap),
            Periodic("image contents which no image has", 3600, self.collect, delay=60),
        )

    # --- records ---

    def get(self, ctxt: RequestContext, image_id: str) -> Image:
        """Answer an image the caller may see."""
        with self._database.read() as session:
            image = db.find(session, image_id)
            if image is None or not db.is_visible(session, image, viewer(ctxt)):
                raise NotFound(f"No image found with ID {image_id[:64]}")
        return image

    def mine(self, ctxt: RequestContext, image_id: str) -> Image:
        """Answer an image the caller may change."""
        image = self.get(ctxt, image_id)
        if not ctxt.is_admin and (ctxt.project_id is None or image.owner != ctxt.project_id):
            raise Forbidden(f"You are not permitted to modify image {image_id}.")
        return image

    def list(self, ctxt: RequestContext, wanted: Wanted) -> list[Image]:
        """Answer images the caller may see."""
        return self._database.fetch(db.listing, wanted, viewer(ctxt))

    def create(self, ctxt: RequestContext, image: Image) -> Image:
        """Make a record in status queued, owned by the caller's project unless an admin names another."""
        owner = image.owner or ctxt.project_id
        if owner != ctxt.project_id and not ctxt.is_admin:
            raise Forbidden("You are not permitted to create images owned by another project.")
        now = self.clock.now().replace(microsecond=0)
        fresh = replace(image, owner=owner, status="queued", created_at=now, updated_at=now)
        rules.check(fresh, self.section)
        return self._database.write(db.add, fresh)

    def update(self, ctxt: RequestContext, image: Image) -> Image:
        """Store the changed fields of an image (see `mine`). Its content cannot be changed."""
        before = self.mine(ctxt, image.id)
        if image.owner != before.owner and not ctxt.is_admin:
            raise Forbidden("Attribute 'owner' is read-only.")
        for name in ("disk_format", "container_format"):
            if getattr(image, name) != getattr(before, name) and before.status != "queued":
                raise Forbidden(f"Attribute {name} can be only replaced for a queued image.")
        changed = replace(image, updated_at=self.clock.now().replace(microsecond=0))
        rules.check(changed, self.section)
        if not self._database.write(db.change, changed, only_status=before.status):
            raise Conflict(f"Image {image.id} changed in the meantime.")
        return self.get(ctxt, image.id)

    def delete(self, ctxt: RequestContext, image_id: str) -> None:
        """Delete an image; its bytes go when no other image has them."""
        image = self.mine(ctxt, image_id)
        if image.protected:
            raise Forbidden(f"Image {image_id} is protected and cannot be deleted.")
        content = self._database.write(db.delete, image_id)
        self.store.unstage(image_id)
        if content is not None:
            self.store.drop(content, lambda: self._database.fetch(db.is_referenced, content))

    def set_active(self, ctxt: RequestContext, image_id: str, *, active: bool) -> None:
        """Let everybody (again) read an image's bytes, or only admins."""
        self.get(ctxt, image_id)
        new = "active" if active else "deactivated"
        if not self._database.write(db.set_status, image_id, old=("active", "deactivated"), new=new, now=self.clock.now()):
            raise Forbidden(f"Not allowed to {'re' if active else 'de'}activate image in its status.")

    # --- bytes ---

    def read(self, ctxt: RequestContext, image: Image, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Answer an image's bytes in blocks. Raises Forbidden when deactivated, Conflict without bytes."""
        if image.status == "deactivated" and not ctxt.is_admin:
            raise Forbidden("The requested image has been deactivated. Image data download is forbidden.")
        if image.os_hash_value is None or image.status not in {"active", "deactivated"}:
            raise Conflict(f"Image {image.id} has no data yet: it is {image.status}.")
        return self.store.read(image.os_hash_value, start=start, length=length)

    def upload(self, ctxt: RequestContext, image_id: str, chunks: Iterable[bytes]) -> Image:
        """Store an image's bytes and make it active. Raises Invalid when they are not what disk_format declares, and
        Conflict when it has bytes, or is getting some; whatever fails leaves nothing but a queued image.
        """
        image = self._ready(self.mine(ctxt, image_id))
        self._fill(image, chunks, states=("queued",))
        return self.get(ctxt, image_id)

    def upload_again(self, ctxt: RequestContext, image_id: str, chunks: Iterable[bytes]) -> Image:
        """Store an image's bytes as `upload` does, and take over from an upload which is under way.

        For hypervisors: one which begins anew has lost what went before, whether we noticed already or not.
        """
        image = self._ready(self.mine(ctxt, image_id))
        self._fill(image, chunks, states=("queued", "saving"))
        return self.get(ctxt, image_id)

    def stage(self, ctxt: RequestContext, image_id: str, chunks: Iterable[bytes]) -> None:
        """Keep bytes for a later import."""
        image = self.mine(ctxt, image_id)
        upload_id = self._begin(image, states=("queued",), saving="uploading")
        incoming = self.store.receive(upload_id)
        try:
            self._receive(image, upload_id, incoming, chunks, check=None)
            self.store.stage(image_id, incoming)
            if not self._end(image, upload_id, "uploading"):
                self.store.unstage(image_id)
                raise NotFound(f"No image found with ID {image_id}")
        except BaseException:
            incoming.discard()
            self._end(image, upload_id, "queued")
            raise

    def import_staged(self, ctxt: RequestContext, image_id: str) -> None:
        """Make an image of its staged bytes. Raises Conflict when there are none, Invalid as upload does."""
        image = self._ready(self.mine(ctxt, image_id))
        path = self.store.staged(image_id)
        if path is None or image.status != "uploading":
            raise Conflict(f"Image needs to be staged before 'glance-direct' method can be used; it is {image.status}.")
        self._fill(image, reading(path), states=("uploading",))
        self.store.unstage(image_id)

    def reap(self) -> None:
        """Put images whose upload died (its process did) back to queued and remove what it left."""
        before = self._milliseconds() - self.section.upload_timeout * 1000
        for image_id in self._database.fetch(db.dead_uploads, before=before):
            LOG.warning("the upload of image %s died; it is queued again", image_id)
            if self._database.write(db.requeue, image_id, before=before, status="queued"):
                self.store.unstage(image_id)
        self.store.sweep(older_than=self.section.upload_timeout)

    def collect(self) -> None:
        """Remove contents which no image has: a process died between moving bytes to their place and recording them."""
        for content in self.store.contents(older_than=3600):
            self.store.drop(content, lambda content=content: self._database.fetch(db.is_referenced, content))  # type: ignore[misc]

    def _ready(self, image: Image) -> Image:
        for name in ("disk_format", "container_format"):
            if getattr(image, name) is None:
                raise Invalid(f"Properties disk_format, container_format must be set prior to saving data: {name} is not.")
        return image

    def _fill(self, image: Image, chunks: Iterable[bytes], *, states: tuple[str, ...]) -> None:
        upload_id = self._begin(image, states=states, saving="importing" if "uploading" in states else "saving")
        incoming = self.store.receive(upload_id)
        try:
            self._receive(image, upload_id, incoming, chunks, check=image.disk_format)
            virtual_size = incoming.inspect(image.disk_format or "raw")
            kept = self.store.keep(
                incoming,
                lambda: self._end(image, upload_id, "active", size=incoming.size, virtual_size=virtual_size, checksum=incoming.md5,
                                  os_hash_algo="sha512", os_hash_value=incoming.sha512),
                lambda: self._database.fetch(db.is_referenced, incoming.sha512),
            )
            if not kept:
                raise NotFound(f"Image {image.id} was deleted during its upload.")
        except BaseException:                    # also when the server stops this green thread
            incoming.discard()
            self.store.unstage(image.id)
            self._end(image, upload_id, "queued")
            raise

    def _begin(self, image: Image, *, states: tuple[str, ...], saving: str) -> str:
        upload_id = str(uuid.uuid4())
        now = self._milliseconds()
        arguments: dict[str, Any] = {"states": states, "saving": saving, "now": now}
        if not self._database.write(db.begin_upload, image.id, upload_id, **arguments):
            before = now - self.section.upload_timeout * 1000
            dead = self._database.write(db.requeue, image.id, before=before, status="queued")
            if not dead or not self._database.write(db.begin_upload, image.id, upload_id, **arguments):
                raise Conflict(f"Image status transition from {image.status} to {saving} is not allowed.")
        return upload_id

    def _receive(self, image: Image, upload_id: str, incoming: Incoming, chunks: Iterable[bytes], *, check: str | None) -> None:
        alive_until = self.clock.monotonic() + _HEARTBEAT
        unchecked = check
        for chunk in chunks:
            incoming.write(chunk)
            if incoming.size > self.section.image_size_cap:
                raise TooLarge(f"The image is larger than image_size_cap ({self.section.image_size_cap} bytes).")
            if unchecked and len(incoming.head) >= inspector.HEAD:
                inspector.early(incoming.head, unchecked)
                unchecked = None
            if self.clock.monotonic() >= alive_until:
                alive_until = self.clock.monotonic() + _HEARTBEAT
                if not self._database.write(db.upload_alive, image.id, upload_id, now=self._milliseconds()):
                    raise NotFound(f"Image {image.id} was deleted during its upload.")
        incoming.finish()

    def _end(self, image: Image, upload_id: str, status: str, **content: Any) -> bool:
        now = self.clock.now().replace(microsecond=0)
        return self._database.write(db.end_upload, image.id, upload_id, status=status, now=now, **content)

    def _milliseconds(self) -> int:
        return int(self.clock.time() * 1000)


def viewer(ctxt: RequestContext) -> Viewer:
    """Answer for whom a list is made."""
    return Viewer(project_id=ctxt.project_id, is_admin=ctxt.is_admin)


