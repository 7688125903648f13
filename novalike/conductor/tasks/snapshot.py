"""Make an image of a server (createImage), or a backup of which only so many are kept (createBackup)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Step, TaskKind
from novalike.conductor.tasks import common
from novalike.conductor.tasks.imaging import Copy, Discard, Upload, drop_image
from novalike.exception import Unavailable
from novalike.objects.image import Image
from novalike.objects.snapshot_tasks import BACKUP, SNAPSHOT, SnapshotState
from novalike.objects.states import TaskState

LOG = logging.getLogger(__name__)

_T = TaskState


class Rotate(Step[SnapshotState]):
    """Delete the oldest backups of the server of this type, so that as many are left as were asked for."""

    name = "rotate"
    unstoppable = True

    def run(self, job: Job[SnapshotState]) -> Done:
        for image in self._backups(job)[job.state.rotation or 0:]:
            LOG.info("Backup %s of instance %s is rotated away", image.id, job.instance.uuid)
            drop_image(job, image.id)
        return Done()

    @staticmethod
    def _backups(job: Job[SnapshotState]) -> list[Image]:
        """Answer the backups of the caller's project, newest first: others may claim in their images' properties whatever they like."""
        state = job.state
        found = job.world.images.list(job.context, properties={
            "image_type": BACKUP, "backup_type": state.backup_type or "", "instance_uuid": job.instance.uuid,
        })
        mine = [image for image in found if image.owner == job.task.caller.project_id]
        return sorted(mine, key=lambda image: (str(image.created_at or ""), image.id == state.image_id), reverse=True)

    def overdue(self, job: Job[SnapshotState]) -> Done:
        try:
            return self.run(job)
        except Unavailable:
            LOG.exception("old backups of instance %s stay until its next backup", job.instance.uuid)
            return Done()


class SnapshotTask(TaskKind[SnapshotState]):
    """The server goes on as it was, whatever comes of it."""

    kind = SNAPSHOT
    event = "compute_snapshot_instance"
    state_type = SnapshotState
    steps: tuple[Step[SnapshotState], ...] = (
        Copy(_T.IMAGE_SNAPSHOT), Upload(_T.IMAGE_PENDING_UPLOAD, _T.IMAGE_UPLOADING), Discard(),
    )

    def finish(self, session: Session, job: Job[SnapshotState]) -> None:
        common.finish(session, job, event=self.event)

    def failed(self, session: Session, job: Job[SnapshotState]) -> None:
        common.fail(session, job, event=self.event)

    def notification_extra(self, job: Job[SnapshotState]) -> Mapping[str, Any]:
        return {"snapshot_image_id": job.state.image_id}


class BackupTask(SnapshotTask):
    """A snapshot, then the rotation."""

    kind = BACKUP
    event = "compute_backup_instance"
    steps = (Copy(_T.IMAGE_BACKUP), Upload(_T.IMAGE_PENDING_UPLOAD, _T.IMAGE_UPLOADING), Discard(), Rotate())
