"""Attach a volume to a server: reserve / release it, plug / unplug it, tell the volume service that it is in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Step, TaskKind, changed
from novalike.conductor.tasks import plugging
from novalike.conductor.tasks.orders import connector
from novalike.db import devices
from novalike.objects.device_tasks import ATTACH_VOLUME, AttachVolumeState, VolumeOrder
from novalike.objects.tasks import Fence
from novalike.rpc.compute import Devices

EVENT = "compute_attach_volume"


class Reserve(Step[AttachVolumeState]):
    """Take the volume, so that nobody else gets it."""

    name = "reserve"

    def run(self, job: Job[AttachVolumeState]) -> Done:
        attachment = job.world.volumes.reserve(job.task.caller, _volume(job), job.instance.uuid)
        job.state = changed(job.state, attachment_id=attachment)
        return Done()

    def undo(self, job: Job[AttachVolumeState]) -> Done:
        job.world.volumes.release(job.task.caller, _volume(job), job.instance.uuid)
        return Done()


class Plug(plugging.PlugStep[AttachVolumeState]):
    """Connect the server's host to it, if it has one, and plug it into the guest."""

    name = "plug"

    def change(self, job: Job[AttachVolumeState]) -> bool:
        state, host = job.state, job.instance.host
        assert state.attachment_id is not None
        if host is not None:
            job.world.volumes.connect(
                job.task.caller, state.attachment_id, connector(job, host), device=state.device.device_name,
            )
        return job.cell.write(
            devices.plug_volume, job.instance.uuid, state.device.uuid, state.attachment_id, epoch=job.task.epoch,
        )

    def change_back(self, job: Job[AttachVolumeState]) -> bool:
        return job.cell.write(devices.unplug_volume, job.instance.uuid, job.state.device.uuid, epoch=job.task.epoch)

    def send(self, job: Job[AttachVolumeState], fence: Fence) -> None:
        device = plugging.connected(job, job.state.device, job.state.attachment_id)
        self._client(job).attach_volume(job.context, order=VolumeOrder(
            fence=fence, instance=job.instance, device=device, deadline=plugging.order_deadline(job),
        ))

    def send_undo(self, job: Job[AttachVolumeState], fence: Fence) -> None:
        self._client(job).detach_volume(job.context, order=VolumeOrder(
            fence=fence, instance=job.instance, device=job.state.device, deadline=plugging.order_deadline(job),
        ))

    @staticmethod
    def _client(job: Job[AttachVolumeState]) -> Any:
        return job.world.compute(Devices, job.task.waiting_host or "")


class Complete(Step[AttachVolumeState]):
    """Tell the volume service. A server which is on no host only has it reserved."""

    name = "complete"

    def run(self, job: Job[AttachVolumeState]) -> Done:
        if job.instance.host is not None and job.state.attachment_id is not None:
            job.world.volumes.complete(job.task.caller, job.state.attachment_id)
        return Done()


class AttachVolumeTask(TaskKind[AttachVolumeState]):
    """The whole attachment. Its block device was stored when it was accepted."""

    kind = ATTACH_VOLUME
    state_type = AttachVolumeState
    steps = (Reserve(), Plug(), Complete())

    def finish(self, session: Session, job: Job[AttachVolumeState]) -> None:
        plugging.succeeded(session, job, event=EVENT)

    def failed(self, session: Session, job: Job[AttachVolumeState]) -> None:
        plugging.failed(session, job, event=EVENT)
        devices.remove(session, job.state.device.uuid)

    def fenced(self, job: Job[AttachVolumeState]) -> None:
        # A delete releases the volumes it finds; what this lease reserved a moment later would have no owner.
        if plugging.is_gone(job):
            job.world.volumes.release(job.task.caller, _volume(job), job.instance.uuid)

    def notification_extra(self, job: Job[AttachVolumeState]) -> Mapping[str, Any]:
        return {"volume_id": job.state.device.volume_id}


def _volume(job: Job[AttachVolumeState]) -> str:
    assert job.state.device.volume_id is not None
    return job.state.device.volume_id
