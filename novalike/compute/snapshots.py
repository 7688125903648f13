"""Copying servers' disks for images, and sending the copies to the image service.

A copy lies on this host from `copy` until `upload` has sent it, `discard` or the server's removal takes it away.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from novalike.compute.host import ComputeHost
from novalike.compute.orders import Work
from novalike.compute.uploads import HttpUpload, Upload
from novalike.context import RequestContext
from novalike.exception import NotBuilt
from novalike.objects.image import ImageTarget
from novalike.objects.snapshot_tasks import CopyOrder, DiscardOrder, UploadOrder
from novalike.objects.tasks import Outcome
from novalike.rpc.compute import Snapshots
from novalike.virt.driver import Copier, ImageCaching

LOG = logging.getLogger(__name__)

COPY, UPLOAD, DISCARD = "snapshot_copy", "snapshot_upload", "snapshot_discard"
#: Seconds after which a copy is nobody's: its task ended without reaching this host.
FORGOTTEN = 86_400.0
#: Seconds in which a server may be made of an image which was fetched for it.
_IN_USE_SOON = 600.0


class SnapshotsEndpoint(Snapshots):
    """Takes orders and returns at once; their ends are reported by Tasks.report. `uploads` makes an Upload for a target."""

    def __init__(self, host: ComputeHost, uploads: Callable[[ImageTarget], Upload] | None = None) -> None:
        self._host = host
        self._uploads = uploads or (lambda target: HttpUpload(host.signed(target), host.conf.image_cache, host.clock))

    def copy(self, ctxt: RequestContext, *, order: CopyOrder) -> None:
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind=COPY, run=lambda work: self._copy(work, order), workers=self._host.copiers,
            deadline=order.deadline, document={"image_id": order.image_id},
        ))

    def upload(self, ctxt: RequestContext, *, order: UploadOrder) -> None:
        upload = self._uploads(order.target)
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind=UPLOAD, run=lambda work: self._upload(work, order, upload),
            workers=self._host.copiers, deadline=order.deadline, document={"image_id": order.target.image_id}, hurry=upload.abort,
        ))

    def discard(self, ctxt: RequestContext, *, order: DiscardOrder) -> None:
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind=DISCARD, run=lambda _work: self._discard(order), workers=self._host.workers,
            deadline=math.inf, document={"image_id": order.image_id},
        ))

    def _copy(self, work: Work, order: CopyOrder) -> Outcome:
        uuid = order.instance.uuid
        copy = self._driver().copy_disk(order.instance, order.image_id, go_on=work.go_on)
        LOG.info("Instance %s: its disk is copied, %d bytes as %s", uuid, copy.size, copy.disk_format)
        return Outcome(
            fence=order.fence, host=self._host.name, power_state=self._host.power_state(uuid),
            result={"disk_format": copy.disk_format, "size": str(copy.size)},
        )

    def _upload(self, work: Work, order: UploadOrder, upload: Upload) -> Outcome:
        uuid, image_id = order.fence.instance_uuid, order.target.image_id
        driver = self._driver()
        with driver.open_copy(uuid, image_id) as file:
            size = upload.send(file, go_on=work.go_on)
        driver.discard_copy(uuid, image_id)
        return Outcome(
            fence=order.fence, host=self._host.name, power_state=self._host.power_state(uuid), result={"size": str(size)},
        )

    def _discard(self, order: DiscardOrder) -> Outcome:
        self._driver().discard_copy(order.fence.instance_uuid, order.image_id)
        return Outcome(fence=order.fence, host=self._host.name)

    def _driver(self) -> Copier:
        driver = self._host.driver
        if not isinstance(driver, Copier):
            raise NotBuilt("This hypervisor cannot make images of servers.")
        return driver


class FileKeeper:
    """Periodic work on files which no server owns: images which nobody needs, copies which nobody asked for."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host

    def clean(self) -> None:
        """Remove them."""
        driver, section = self._host.driver, self._host.conf.image_cache
        if isinstance(driver, Copier):
            count = driver.settle_copies(older_than=FORGOTTEN, busy=self._host.orders.busy)
            if count:
                LOG.warning("Removed %d copies of disks which nobody asked for", count)
        if section.remove_unused_base_images and isinstance(driver, ImageCaching):
            unused_for = max(float(section.remove_unused_original_minimum_age_seconds), _IN_USE_SOON)
            count = driver.clean_image_cache(unused_for=unused_for)
            if count:
                LOG.info("Removed %d images which no server here needs", count)
