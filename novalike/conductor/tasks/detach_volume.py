"""Detach a volume from a server: announce it, unplug / plug the volume, release it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Step, TaskKind
from novalike.conductor.tasks import plugging
from novalike.db import devices
from novalike.objects.device_tasks import DETACH_VOLUME, DetachVolumeState, VolumeOrder
from novalike.objects.tasks import Fence
from novalike.rpc.compute import Devices

EVENT = "compute_detach_volume"


class Begin(Step[DetachVolumeState]):
    """Announce it to the volume service, so that nobody else begins to. What is only reserved has nothing to announce."""

    name = "begin"

    def run(self, job: Job[DetachVolumeState]) -> Done:
        if job.instance.host is not None:
            job.world.volumes.begin_detaching(job.task.caller, _volume(job))
        return Done()

    def undo(self, job: Job[DetachVolumeState]) -> Done:
        if job.instance.host is not None:
            job.world.volumes.roll_detaching(job.task.caller, _volume(job))
        return Done()


class Unplug(plugging.PlugStep[DetachVolumeState]):
    """Take it from the server, and have its guest let go of it."""

    name = "unplug"

    def change(self, job: Job[DetachVolumeState]) -> bool:
        return job.cell.write(devices.unplug_volume, job.instance.uuid, job.state.device.uuid, epoch=job.task.epoch)

    def change_back(self, job: Job[DetachVolumeState]) -> bool:
        device = job.state.device
        return job.cell.write(devices.plug_volume, job.instance.uuid, device.uuid, device.attachment_id, epoch=job.task.epoch)

    def send(self, job: Job[DetachVolumeState], fence: Fence) -> None:
        self._client(job).detach_volume(job.context, order=VolumeOrder(
            fence=fence, instance=job.instance, device=job.state.device, deadline=plugging.order_deadline(job),
        ))

    def send_undo(self, job: Job[DetachVolumeState], fence: Fence) -> None:
        device = plugging.connected(job, job.state.device, job.state.device.attachment_id)
        self._client(job).attach_volume(job.context, order=VolumeOrder(
            fence=fence, instance=job.instance, device=device, deadline=plugging.order_deadline(job),
        ))

    @staticmethod
    def _client(job: Job[DetachVolumeState]) -> Any:
        return job.world.compute(Devices, job.task.waiting_host or "")


class Release(Step[DetachVolumeState]):
    """Give the volume back."""

    name = "release"

    def run(self, job: Job[DetachVolumeState]) -> Done:
        job.world.volumes.release(job.task.caller, _volume(job), job.instance.uuid)
        return Done()


class DetachVolumeTask(TaskKind[DetachVolumeState]):
    """The whole detachment."""

    kind = DETACH_VOLUME
    state_type = DetachVolumeState
    steps = (Begin(), Unplug(), Release())

    def finish(self, session: Session, job: Job[DetachVolumeState]) -> None:
        plugging.succeeded(session, job, event=EVENT)
        devices.remove(session, job.state.device.uuid)

    def failed(self, session: Session, job: Job[DetachVolumeState]) -> None:
        plugging.failed(session, job, event=EVENT)

    def notification_extra(self, job: Job[DetachVolumeState]) -> Mapping[str, Any]:
        return {"volume_id": job.state.device.volume_id}


def _volume(job: Job[DetachVolumeState]) -> str:
    assert job.state.device.volume_id is not None
    return job.state.device.volume_id
