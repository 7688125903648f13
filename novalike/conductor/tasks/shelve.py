"""Shelve a server: it is shut down, copied into an image, and leaves its host at once or later. Ports and quota stay its own."""

from __future__ import annotations

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Resend, Step, TaskKind, Wait, changed
from novalike.conductor.tasks import common, offloading
from novalike.conductor.tasks.common import HostStep
from novalike.conductor.tasks.imaging import Copy, Discard, Upload
from novalike.conductor.tasks.offloading import PAUSE, Offload, Unbind
from novalike.conductor.tasks.power import power_order
from novalike.db import shelving
from novalike.exception import NotFound, NovalikeError
from novalike.objects.snapshot_tasks import SHELVE, SHELVE_OFFLOAD, SHELVED_IMAGE, OffloadState, ShelveState
from novalike.objects.states import ACTIONS, PowerState, TaskState, VmState
from novalike.objects.tasks import Fence, Outcome

_T = TaskState
#: Seconds for which the host's own report of a passed deadline is waited for.
MARGIN = 15


class Stop(HostStep[ShelveState]):
    """Let a running guest shut down, so that all it wrote is on its disk. Undone, it runs again."""

    name = "stop"
    deadline = ACTIONS["stop"].deadline + MARGIN
    undo_deadline = ACTIONS["start"].deadline

    def run(self, job: Job[ShelveState]) -> Done | Wait:
        return Wait(self.host(job)) if job.state.former == VmState.ACTIVE else Done()

    def send(self, job: Job[ShelveState], fence: Fence) -> None:
        power_order(job, fence, "stop", clean_shutdown="true")

    def undo(self, job: Job[ShelveState]) -> Done | Wait:
        state = job.state
        if state.former != VmState.ACTIVE or state.restarted or state.leaving or job.instance.host is None:
            return Done()
        return Wait(job.instance.host)

    def send_undo(self, job: Job[ShelveState], fence: Fence) -> None:
        power_order(job, fence, "start")

    def undo_ended(self, job: Job[ShelveState], outcome: Outcome) -> None:
        job.state = changed(job.state, restarted=True)

    def undo_overdue(self, job: Job[ShelveState]) -> None:
        job.state = changed(job.state, restarted=True)     # when the host tells its power state, the server is seen as stopped


class ShelveCopy(Copy[ShelveState]):
    """Nothing of the image is given up once the server leaves its host."""

    def undo(self, job: Job[ShelveState]) -> Done | Wait:
        return Done() if job.state.leaving else super().undo(job)


class ShelveUpload(Upload[ShelveState]):
    """Nothing of the image is given up once the server leaves its host."""

    def undo(self, job: Job[ShelveState]) -> Done:
        return Done() if job.state.leaving else super().undo(job)


class Halt(HostStep[ShelveState]):
    """Cut the power of a guest which stood still all the time: what it has on its disk is in the image already."""

    name = "halt"
    unstoppable = True

    def run(self, job: Job[ShelveState]) -> Done | Wait:
        return Wait(self.host(job)) if job.state.former == VmState.PAUSED else Done()

    def send(self, job: Job[ShelveState], fence: Fence) -> None:
        power_order(job, fence, "stop", clean_shutdown="false")

    def ended(self, job: Job[ShelveState], outcome: Outcome) -> Done | Resend:  # type: ignore[override]  # as any Step may
        return Done() if outcome.error is None else Resend(PAUSE)

    def overdue(self, job: Job[ShelveState]) -> Done:
        return Done()


class ShelveOffload(Offload[ShelveState]):
    """At once, where that is configured."""

    def wanted(self, job: Job[ShelveState]) -> bool:
        return job.state.offload

    def image_id(self, job: Job[ShelveState]) -> str:
        return job.state.image_id


class ShelveTask(TaskKind[ShelveState]):
    """The whole shelving."""

    kind = SHELVE
    event = "compute_shelve_instance"
    state_type = ShelveState
    steps = (
        Stop(), ShelveCopy(_T.SHELVING_IMAGE_PENDING_UPLOAD), ShelveUpload(_T.SHELVING_IMAGE_PENDING_UPLOAD, _T.SHELVING_IMAGE_UPLOADING),
        Discard(), Halt(), ShelveOffload(), Unbind(),
    )

    def finish(self, session: Session, job: Job[ShelveState]) -> None:
        state = job.state
        if state.leaving:
            offloading.release(session, job)
        row = common.finish(session, job, event=self.event, power_state=PowerState.SHUTDOWN)
        shelving.remember(row, image_id=state.image_id, host=state.host, now=job.world.clock.now())
        if state.leaving:
            offloading.left(row)

    def failed(self, session: Session, job: Job[ShelveState]) -> None:
        # A task which an administrator ended when there was no way back went forward instead.
        if job.state.leaving:
            offloading.release(session, job)
        row = common.fail(session, job, event=self.event)
        if job.state.leaving:
            offloading.left(row)


class CheckImage(Step[OffloadState]):
    """A server whose image is not complete must stay where its disk is."""

    name = "check_image"

    def run(self, job: Job[OffloadState]) -> Done:
        image_id = job.instance.system_metadata.get(SHELVED_IMAGE, "")
        try:
            status = job.world.images.get(job.context, image_id).status
        except NotFound:
            status = "gone"
        if status != "active":
            raise NovalikeError(f"The server cannot leave its host: its image {image_id} is {status}.")
        return Done()


class LateOffload(Offload[OffloadState]):
    """Of a server which is shelved already."""

    def image_id(self, job: Job[OffloadState]) -> str:
        return job.instance.system_metadata.get(SHELVED_IMAGE, "")


class ShelveOffloadTask(TaskKind[OffloadState]):
    """Take a shelved server off its host."""

    kind = SHELVE_OFFLOAD
    event = "compute_shelve_offload_instance"
    state_type = OffloadState
    steps = (CheckImage(), LateOffload(), Unbind())

    def finish(self, session: Session, job: Job[OffloadState]) -> None:
        offloading.release(session, job)
        offloading.left(common.finish(session, job, event=self.event, power_state=PowerState.SHUTDOWN))

    def failed(self, session: Session, job: Job[OffloadState]) -> None:
        if job.state.leaving:
            offloading.release(session, job)
        row = common.fail(session, job, event=self.event)
        if job.state.leaving:
            offloading.left(row)
