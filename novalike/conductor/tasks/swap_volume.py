"""Put another volume in the place of an attached one: reserve / release the new one, copy / copy back, release the old one.

Single-host actions are refused meanwhile (db/instance_actions.py): an order which was made with the old volume and done
after the copy would bring it back. When the guest works on the new volume there is no way back; what then fails is noted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from novalike.conductor.steps import Again, Done, Job, Resend, Retry, Step, TaskKind, Wait, changed
from novalike.conductor.tasks import plugging
from novalike.conductor.tasks.common import HostStep
from novalike.conductor.tasks.orders import connector
from novalike.db import devices
from novalike.exception import NovalikeError, Unavailable
from novalike.objects.block_device import BlockDevice
from novalike.objects.device_tasks import SWAP_VOLUME, SwapVolumeState, VolumeOrder
from novalike.objects.tasks import Fence, Outcome
from novalike.rpc.compute import Devices

LOG = logging.getLogger(__name__)
EVENT = "compute_swap_volume"


class Reserve(Step[SwapVolumeState]):
    """Take the new volume."""

    name = "reserve"

    def run(self, job: Job[SwapVolumeState]) -> Done:
        attachment = job.world.volumes.reserve(job.task.caller, job.state.new_volume_id, job.instance.uuid)
        job.state = changed(job.state, new_attachment_id=attachment)
        return Done()

    def undo(self, job: Job[SwapVolumeState]) -> Done:
        if not job.state.swapped:
            job.world.volumes.release(job.task.caller, job.state.new_volume_id, job.instance.uuid)
        return Done()


class Swap(HostStep[SwapVolumeState]):
    """Connect the host to the new volume, and have it copied beneath the guest."""

    name = "swap"

    def wait_deadline(self, job: Job[SwapVolumeState]) -> int:
        return int(job.world.conf.conductor.volume_copy_timeout) + plugging.MARGIN

    def run(self, job: Job[SwapVolumeState]) -> Done | Wait:
        host = self.host(job)
        assert job.state.new_attachment_id is not None
        if not job.cell.write(devices.has_guest, job.instance.uuid, epoch=job.task.epoch):
            raise NovalikeError("The server does not run.")
        job.world.volumes.connect(
            job.task.caller, job.state.new_attachment_id, connector(job, host), device=job.state.device.device_name,
        )
        job.state = changed(job.state, ordered=True)
        return Wait(host)

    def send(self, job: Job[SwapVolumeState], fence: Fence) -> None:
        new = plugging.connected(job, _new(job), job.state.new_attachment_id)
        self._order(job, fence, job.state.device, new)

    def ended(self, job: Job[SwapVolumeState], outcome: Outcome) -> Done | Retry | Again | Resend:
        done = super().ended(job, outcome)
        job.state = changed(job.state, swapped=True)
        return done

    def undo(self, job: Job[SwapVolumeState]) -> Done | Wait:
        return Wait(self.host(job)) if job.state.ordered and not job.state.swapped else Done()

    def send_undo(self, job: Job[SwapVolumeState], fence: Fence) -> None:
        old = plugging.connected(job, job.state.device, job.state.device.attachment_id)
        self._order(job, fence, _new(job), old)

    def undo_ended(self, job: Job[SwapVolumeState], outcome: Outcome) -> None:
        job.state = changed(job.state, ordered=False)

    def undo_overdue(self, job: Job[SwapVolumeState]) -> None:
        job.state = changed(job.state, ordered=False)

    def _order(self, job: Job[SwapVolumeState], fence: Fence, device: BlockDevice, replacement: BlockDevice) -> None:
        job.world.compute(Devices, job.task.waiting_host or "").swap_volume(job.context, order=VolumeOrder(
            fence=fence, instance=job.instance, device=device, replacement=replacement,
            deadline=int(job.world.conf.conductor.volume_copy_timeout),
        ))


class Settle(Step[SwapVolumeState]):
    """Tell the volume service. A refusal changes nothing any more: the guest has the new volume."""

    name = "settle"

    def run(self, job: Job[SwapVolumeState]) -> Done:
        volumes, caller, state = job.world.volumes, job.task.caller, job.state
        try:
            if state.new_attachment_id is not None:
                volumes.complete(caller, state.new_attachment_id)
            volumes.release(caller, state.device.volume_id or "", job.instance.uuid)
        except Unavailable:
            raise
        except NovalikeError:
            LOG.exception("the volume service refuses the end of a swap of instance %s", job.instance.uuid)
        return Done()


class SwapVolumeTask(TaskKind[SwapVolumeState]):
    """The whole swap."""

    kind = SWAP_VOLUME
    state_type = SwapVolumeState
    steps = (Reserve(), Swap(), Settle())

    def finish(self, session: Session, job: Job[SwapVolumeState]) -> None:
        plugging.succeeded(session, job, event=EVENT)
        self._replace(session, job)

    def failed(self, session: Session, job: Job[SwapVolumeState]) -> None:
        plugging.failed(session, job, event=EVENT)
        if job.state.swapped:
            self._replace(session, job)

    @staticmethod
    def _replace(session: Session, job: Job[SwapVolumeState]) -> None:
        state = job.state
        devices.change(session, state.device.uuid, volume_id=state.new_volume_id, attachment_id=state.new_attachment_id)

    def fenced(self, job: Job[SwapVolumeState]) -> None:
        if plugging.is_gone(job):
            job.world.volumes.release(job.task.caller, job.state.new_volume_id, job.instance.uuid)

    def notification_extra(self, job: Job[SwapVolumeState]) -> Mapping[str, Any]:
        return {"old_volume_id": job.state.device.volume_id, "new_volume_id": job.state.new_volume_id}


def _new(job: Job[SwapVolumeState]) -> BlockDevice:
    return replace(job.state.device, volume_id=job.state.new_volume_id)
