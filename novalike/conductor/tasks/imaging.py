"""Making an image of a server's disk: its host copies the disk, then sends the copy to the record which was made at accept."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from novalike.conductor.steps import Again, Done, Job, Resend, Retry, Step, Wait, changed
from novalike.conductor.tasks.common import HostStep
from novalike.db import instances
from novalike.exception import Conflict, NotFound, NovalikeError, Unavailable
from novalike.objects.snapshot_tasks import CopyOrder, DiscardOrder, ImagingState, UploadOrder
from novalike.objects.states import TaskState
from novalike.objects.tasks import Fence, Outcome
from novalike.rpc.compute import Snapshots

LOG = logging.getLogger(__name__)
S = TypeVar("S", bound=ImagingState)

#: Seconds for which the host's own report of a passed deadline is waited for.
MARGIN = 15
#: How often sending is tried, and seconds between two attempts.
ATTEMPTS, PAUSE = 4, 3.0


class Copy(HostStep[S]):
    """The host copies the root disk; the guest may go on. Undone, the host forgets its copy."""

    name = "copy"

    def __init__(self, task_state: TaskState) -> None:
        self._task_state = task_state

    def wait_deadline(self, job: Job[S]) -> int:
        return int(job.world.conf.conductor.snapshot_timeout) + MARGIN

    def store(self, session: Session, job: Job[S]) -> None:
        instances.set_task_state(session, job.instance.uuid, self._task_state)

    def send(self, job: Job[S], fence: Fence) -> None:
        order = CopyOrder(
            fence=fence, instance=job.instance, image_id=job.state.image_id, deadline=self.wait_deadline(job) - MARGIN,
        )
        job.world.compute(Snapshots, self.host(job)).copy(job.context, order=order)

    def ended(self, job: Job[S], outcome: Outcome) -> Done:
        super().ended(job, outcome)
        job.state = changed(job.state, disk_format=outcome.result.get("disk_format", "raw"))
        return Done()

    def undo(self, job: Job[S]) -> Done | Wait:
        if job.state.discarded or job.instance.host is None:
            return Done()
        return Wait(job.instance.host)

    def send_undo(self, job: Job[S], fence: Fence) -> None:
        order = DiscardOrder(fence=fence, image_id=job.state.image_id)
        job.world.compute(Snapshots, self.host(job)).discard(job.context, order=order)

    def undo_ended(self, job: Job[S], outcome: Outcome) -> None:
        job.state = changed(job.state, discarded=True)

    def undo_overdue(self, job: Job[S]) -> None:
        # The host removes copies which nobody asks for by itself, and all of them with the server.
        job.state = changed(job.state, discarded=True)


class Upload(HostStep[S]):
    """The host sends its copy, under the format which the copy has. Undone, the image's record goes.

    A host which failed may have sent all the same, so the image service is asked before it is ordered again.
    """

    name = "upload"

    def __init__(self, pending: TaskState, uploading: TaskState) -> None:
        self._pending, self._uploading = pending, uploading

    def wait_deadline(self, job: Job[S]) -> int:
        return int(job.world.conf.conductor.upload_timeout) + MARGIN

    def run(self, job: Job[S]) -> Done | Wait:
        state, images = job.state, job.world.images
        image = images.get(job.context, state.image_id)
        if image.status == "active":
            return Done()
        if image.status not in ("queued", "saving"):
            raise NovalikeError(f"The image {image.id} cannot be filled: it is {image.status}.")
        if state.failed_uploads == 0:
            job.cell.write(instances.show_next, job.instance.uuid, epoch=job.task.epoch, state=self._pending)
        written = state.disk_format or "raw"
        disk_format, container = ("ami", "ami") if image.container_format == "ami" and written == "raw" else (written, "bare")
        if image.status == "queued":
            images.declare(job.context, image.id, disk_format=disk_format, container_format=container)
        return Wait(self.host(job))

    def store(self, session: Session, job: Job[S]) -> None:
        instances.set_task_state(session, job.instance.uuid, self._uploading)

    def send(self, job: Job[S], fence: Fence) -> None:
        try:
            target = job.world.images.target(job.context, job.world.images.get(job.context, job.state.image_id))
        except (NotFound, Conflict) as error:    # deleted by its user: the deadline is not waited for, see `hopeless`
            LOG.info("image %s cannot be sent to any more: %s", job.state.image_id, error)
            return
        order = UploadOrder(fence=fence, target=target, deadline=self.wait_deadline(job) - MARGIN)
        job.world.compute(Snapshots, self.host(job)).upload(job.context, order=order)

    def hopeless(self, job: Job[S]) -> bool:
        if super().hopeless(job):
            return True
        return not job.undoing and self._is_gone(job)

    @staticmethod
    def _is_gone(job: Job[S]) -> bool:
        try:
            job.world.images.get(job.context, job.state.image_id)
        except NotFound:
            return True
        except NovalikeError as error:
            LOG.debug("image %s could not be looked at: %s", job.state.image_id, error)
        return False

    def overdue(self, job: Job[S]) -> Done | Retry | Again:
        if self._is_gone(job):
            raise NovalikeError(f"The image {job.state.image_id} was deleted meanwhile.")
        return super().overdue(job)

    def ended(self, job: Job[S], outcome: Outcome) -> Done | Again:  # type: ignore[override]  # as any Step may
        if outcome.error is None and not outcome.stale:
            return Done()
        job.state = changed(job.state, failed_uploads=job.state.failed_uploads + 1)
        if outcome.stale or job.state.failed_uploads >= ATTEMPTS:
            super().ended(job, outcome)
        LOG.warning("instance %s: its image is sent again: %s %s", job.instance.uuid, outcome.error, outcome.details)
        return Again(PAUSE)

    def undo(self, job: Job[S]) -> Done:
        drop_image(job, job.state.image_id)
        return Done()


class Discard(HostStep[S]):
    """The host forgets its copy. It did so when it reported that all was sent; only after trouble nobody knows."""

    name = "discard"
    unstoppable = True

    def run(self, job: Job[S]) -> Done | Wait:
        return Wait(self.host(job)) if job.state.failed_uploads else Done()

    def send(self, job: Job[S], fence: Fence) -> None:
        order = DiscardOrder(fence=fence, image_id=job.state.image_id)
        job.world.compute(Snapshots, self.host(job)).discard(job.context, order=order)

    def ended(self, job: Job[S], outcome: Outcome) -> Done | Resend:  # type: ignore[override]  # as any Step may
        return Done() if outcome.error is None else Resend(PAUSE)

    def overdue(self, job: Job[S]) -> Done:
        # The host removes copies which nobody asks for by itself, and all of them with the server.
        return Done()


def drop_image(job: Job[Any], image_id: str, *, unfinished: bool = False) -> None:
    """Delete an image which is ours to delete; with `unfinished` only when it never got all its bytes.

    Fine when it is gone; what the image service refuses for good stays, with a line in the log. Raises Unavailable.
    """
    images = job.world.images
    try:
        if not unfinished or images.get(job.context, image_id).status not in ("active", "deactivated"):
            images.delete(job.context, image_id)
    except NotFound:
        LOG.debug("image %s is gone already", image_id)
    except Unavailable:
        raise
    except NovalikeError as error:
        LOG.warning("image %s of instance %s stays: %s %s", image_id, job.instance.uuid, error, error.details)


class DropImage(Step[Any]):
    """Delete the image of a server which does not need it any more: from here on there is no way back.

    The state (with `image_id` and `landed`) is saved before.
    """

    name = "drop_image"
    unstoppable = True

    def run(self, job: Job[Any]) -> Done | Again:
        if not job.state.landed:
            job.state = changed(job.state, landed=True)
            return Again(0.0)
        if job.state.image_id:
            drop_image(job, job.state.image_id)
        return Done()

    def overdue(self, job: Job[Any]) -> Done:
        try:
            self.run(job)
        except Unavailable:
            LOG.exception("image %s of instance %s is left to the image service", job.state.image_id, job.instance.uuid)
        return Done()
