"""Boot a server from a rescue image: check, rescue / abandon, finish."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Step, TaskKind, Wait, changed
from novalike.conductor.tasks import common
from novalike.conductor.tasks.common import HostStep
from novalike.conductor.tasks.orders import disks, image_source, require_images
from novalike.objects.rescue import RescueOrder, RescueState
from novalike.objects.states import PowerState, TaskState, VmState
from novalike.objects.tasks import Fence, Outcome
from novalike.rpc.compute import Rescue

EVENT = "compute_rescue_instance"
#: Seconds for which the host's own report of a passed deadline is waited for.
MARGIN = 15
SILENT = "its host did not tell from which disk it runs"


class Check(Step[RescueState]):
    """A host which is down rescues nobody, and an image which is gone neither."""

    name = "check"

    def run(self, job: Job[RescueState]) -> Done:
        common.require_up(job)
        require_images(job, job.state.image_id, job.state.kernel_id, job.state.ramdisk_id)
        return Done()


class Boot(HostStep[RescueState]):
    """Have the host boot the rescue image; its undo lets the server be as it was."""

    name = "rescue"
    task_state = TaskState.RESCUING
    undo_deadline = 120

    def wait_deadline(self, job: Job[RescueState]) -> int:
        return int(job.world.conf.conductor.build_timeout) + MARGIN

    def run(self, job: Job[RescueState]) -> Wait:
        host = self.host(job)
        job.state = changed(job.state, host=host)
        return Wait(host)

    def send(self, job: Job[RescueState], fence: Fence) -> None:
        state = job.state
        image = job.world.images.get(job.context, state.image_id)
        _client(job).rescue(job.context, order=replace(
            _order(job, fence), image=job.world.images.source(job.context, image), kernel=image_source(job, state.kernel_id),
            ramdisk=image_source(job, state.ramdisk_id), properties=dict(image.properties),
            admin_password=job.world.vault.open(state.encrypted_password) if state.encrypted_password else None,
            deadline=self.wait_deadline(job) - MARGIN,
        ))

    def undo(self, job: Job[RescueState]) -> Done | Wait:
        state = job.state
        return Done() if state.host is None or state.answered else Wait(state.host)

    def send_undo(self, job: Job[RescueState], fence: Fence) -> None:
        order = replace(_order(job, fence), deadline=self.undo_deadline, start=job.instance.power_state == PowerState.RUNNING)
        _client(job).abandon(job.context, order=order)

    def undo_ended(self, job: Job[RescueState], outcome: Outcome) -> None:
        job.outcome = outcome
        job.state = changed(job.state, answered=True, silent=outcome.stale)

    def undo_overdue(self, job: Job[RescueState]) -> None:
        job.state = changed(job.state, answered=True, silent=True)


class RescueTask(TaskKind[RescueState]):
    """The whole rescue. Going back is the action unrescue, which leaves nothing of it."""

    kind = "rescue"
    state_type = RescueState
    steps = (Check(), Boot())

    def finish(self, session: Session, job: Job[RescueState]) -> None:
        row = common.finish(session, job, event=EVENT, vm_state=VmState.RESCUED)
        row.launched_at = job.world.clock.now()  # as Nova; rescue_timeout counts from here

    def failed(self, session: Session, job: Job[RescueState]) -> None:
        silent = job.state.silent
        message = f"{(job.failure or 'The rescue failed').rstrip('.')}; {SILENT}." if silent else None
        row = common.fail(session, job, event=EVENT, vm_state=VmState.ERROR if silent else None, message=message)
        if job.outcome is not None and job.outcome.power_state is not None:
            row.power_state = job.outcome.power_state

    def notification_extra(self, job: Job[RescueState]) -> dict[str, str]:
        return {"rescue_image_ref": job.state.image_id}


def _client(job: Job[RescueState]) -> Rescue:
    client: Rescue = job.world.compute(Rescue, job.state.host or "")
    return client


def _order(job: Job[RescueState], fence: Fence) -> RescueOrder:
    server = job.instance
    return RescueOrder(
        fence=fence, attempt=job.task.id, instance=server, vifs=server.network_info, block_devices=disks(job),
    )
