"""Bring a shelved server back: start it where it is, or place it anew and spawn it from the image it was shelved into."""

from __future__ import annotations

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Retry, Step, TaskKind, Wait, changed
from novalike.conductor.tasks import common
from novalike.conductor.tasks.await_ports import AwaitPorts
from novalike.conductor.tasks.common import HostStep
from novalike.conductor.tasks.imaging import DropImage
from novalike.conductor.tasks.orders import disks, image_source
from novalike.conductor.tasks.placement import Place, Resume, Spawn, explained
from novalike.conductor.tasks.power import power_order
from novalike.db import shelving
from novalike.db.models.instances import InstanceRow
from novalike.exception import NotFound, NovalikeError
from novalike.network.client import BindingFailed
from novalike.objects.snapshot_tasks import UNSHELVE, UNSHELVE_HERE, UnshelveHereState, UnshelveState
from novalike.objects.states import ACTIONS, PowerState, TaskState, VmState
from novalike.objects.tasks import BuildOrder, Fence, Outcome

EVENT = "compute_unshelve_instance"
#: Seconds for which the host's own report of a passed deadline is waited for.
MARGIN = 15


class FindImage(Step[UnshelveState]):
    """Without its image there is nothing left of the server."""

    name = "find_image"

    def run(self, job: Job[UnshelveState]) -> Done:
        image_id = job.state.image_id
        try:
            image = job.world.images.get(job.context, image_id)
        except NotFound as error:
            job.state = changed(job.state, lost=True)
            raise NovalikeError(f"Unshelve attempted but the image {image_id} cannot be found.") from error
        if image.status != "active":
            raise NovalikeError(f"Unshelve attempted but the image {image_id} is {image.status}.")
        return Done()


class UnshelvePlace(Place[UnshelveState]):
    """Where its user wants it now, else where it was pinned. There is no way back once it runs."""

    def zone(self, job: Job[UnshelveState]) -> str | None:
        return job.state.zone

    def undo(self, job: Job[UnshelveState]) -> Done:
        return Done() if job.state.landed else super().undo(job)


class Bind(Step[UnshelveState]):
    """The ports which the server kept come along."""

    name = "bind"

    def run(self, job: Job[UnshelveState]) -> Done | Retry:
        assert job.state.host is not None
        try:
            vifs = job.world.networks.rebind(job.task.caller, job.instance, host=job.state.host)
        except BindingFailed as error:
            return UnshelveSpawn.elsewhere(job, str(error), details=error.details)
        job.state = changed(job.state, vifs=vifs)
        return Done()

    def undo(self, job: Job[UnshelveState]) -> Done:
        if not job.state.landed:
            job.world.networks.rebind(job.task.caller, job.instance, host="")
        return Done()


class UnshelveSpawn(Spawn[UnshelveState]):
    """Spawn it from its image; all else is made anew."""

    event = EVENT

    def order(self, job: Job[UnshelveState], fence: Fence) -> BuildOrder:
        instance, state = job.instance, job.state
        assert state.host is not None
        return BuildOrder(
            fence=fence, instance=instance, vifs=state.vifs, block_devices=disks(job, moved_to=state.host),
            image=image_source(job, state.image_id), kernel=image_source(job, instance.kernel_id),
            ramdisk=image_source(job, instance.ramdisk_id), paused=state.paused, deadline=self.wait_deadline(job) - MARGIN,
        )

    def undo(self, job: Job[UnshelveState]) -> Done | Wait:
        return Done() if job.state.landed else super().undo(job)


class UnshelveTask(TaskKind[UnshelveState]):
    """Of a server which is on no host."""

    kind = UNSHELVE
    state_type = UnshelveState
    steps = (FindImage(), UnshelvePlace(), Bind(), UnshelveSpawn(), AwaitPorts(), Resume(), DropImage())

    def finish(self, session: Session, job: Job[UnshelveState]) -> None:
        row = common.finish(session, job, event=EVENT, vm_state=VmState.ACTIVE, power_state=PowerState.RUNNING)
        _returned(row, job)
        if job.state.pins:
            row.document = {**row.document, "requested_zone": job.state.zone}

    def failed(self, session: Session, job: Job[UnshelveState]) -> None:
        if job.state.landed:
            row = common.fail(session, job, event=EVENT)
            _returned(row, job)
            return
        vm_state = VmState.ERROR if job.state.lost else VmState.SHELVED_OFFLOADED
        common.fail(session, job, event=EVENT, vm_state=vm_state, message=explained(job, "The server could not be unshelved."))


class PowerOn(HostStep[UnshelveHereState]):
    """Start the guest from the disk which it has there."""

    name = "power_on"
    task_state = TaskState.POWERING_ON
    deadline = ACTIONS["start"].deadline + MARGIN
    undo_deadline = 60

    def send(self, job: Job[UnshelveHereState], fence: Fence) -> None:
        power_order(job, fence, "start")

    def undo(self, job: Job[UnshelveHereState]) -> Done | Wait:
        if job.state.landed or job.state.stopped or job.instance.host is None:
            return Done()
        return Wait(job.instance.host)

    def send_undo(self, job: Job[UnshelveHereState], fence: Fence) -> None:
        power_order(job, fence, "stop", clean_shutdown="false")

    def undo_ended(self, job: Job[UnshelveHereState], outcome: Outcome) -> None:
        job.state = changed(job.state, stopped=True)

    def undo_overdue(self, job: Job[UnshelveHereState]) -> None:
        job.state = changed(job.state, stopped=True)


class UnshelveHereTask(TaskKind[UnshelveHereState]):
    """Of a server which never left its host."""

    kind = UNSHELVE_HERE
    notification = "unshelve"
    state_type = UnshelveHereState
    steps = (PowerOn(), DropImage())

    def finish(self, session: Session, job: Job[UnshelveHereState]) -> None:
        row = common.finish(session, job, event=EVENT, vm_state=VmState.ACTIVE, power_state=PowerState.RUNNING)
        shelving.forget(row)

    def failed(self, session: Session, job: Job[UnshelveHereState]) -> None:
        row = common.fail(session, job, event=EVENT)
        if job.state.landed:
            shelving.forget(row)


def _returned(row: InstanceRow, job: Job[UnshelveState]) -> None:
    row.launched_at = job.world.clock.now()
    shelving.forget(row)
