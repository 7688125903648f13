"""Revert a resize: remove the server from its new host, bind its ports back, and take it back where it came from.

Once the new copy is gone there is only the way forward: a source which then fails leaves the server on it, in its old size
and in ERROR, to be started again.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Resend, Step, TaskKind, Wait, changed
from novalike.conductor.tasks import common
from novalike.conductor.tasks.await_ports import AwaitPorts
from novalike.conductor.tasks.common import HostStep
from novalike.conductor.tasks.orders import destroy_order, disks
from novalike.db import claims, reservations, resizes, server_migrations
from novalike.db.models.instances import InstanceRow
from novalike.exception import NovalikeError
from novalike.objects import move_tasks
from novalike.objects.instance import Instance
from novalike.objects.move_tasks import PutBackOrder, RevertState
from novalike.objects.states import PowerState, TaskState, VmState
from novalike.objects.tasks import Fence, Outcome
from novalike.rpc.compute import Build, Moves

#: Seconds after which a host which failed is ordered again.
PAUSE = 5.0
MARGIN = 15


class RemoveNew(HostStep[RevertState]):
    """Have the new host remove the server. Where both are one host, taking back does it.

    A host which does not answer may still run the server: then nothing is reverted.
    """

    name = "remove_new"
    task_state = TaskState.RESIZE_REVERTING

    def host(self, job: Job[RevertState]) -> str:
        return job.state.dest_host

    def wait_deadline(self, job: Job[RevertState]) -> int:
        return int(job.world.conf.conductor.destroy_timeout)

    def run(self, job: Job[RevertState]) -> Done | Wait:
        if job.state.dest_host == job.state.source_host or job.state.removed:
            return Done()
        if common.is_down(job, job.state.source_host):
            raise NovalikeError("The host from which the server was moved is down.")
        return Wait(self.host(job))

    def send(self, job: Job[RevertState], fence: Fence) -> None:
        order = destroy_order(job.instance, fence, job.state.vifs)
        job.world.compute(Build, self.host(job)).destroy(job.context, order=order)

    def ended(self, job: Job[RevertState], outcome: Outcome) -> Done | Resend:
        if outcome.error is not None and not outcome.stale:
            return Resend(PAUSE)
        job.state = changed(job.state, removed=True)
        return Done()

    def undo(self, job: Job[RevertState]) -> Done:
        if job.state.removed:                    # it ends on the source: see RevertResizeTask.failed
            _give_back(job)
        return Done()


class BindBack(Step[RevertState]):
    """Let the server's ports be where it comes from."""

    name = "bind_back"

    def run(self, job: Job[RevertState]) -> Done:
        vifs = job.world.networks.rebind(job.task.caller, _as_before(job), host=job.state.source_host)
        job.state = changed(job.state, vifs=vifs)
        return Done()


class PutBack(HostStep[RevertState]):
    """Have the source take the server back, and start it if it ran before it was moved."""

    name = "put_back"
    task_state = TaskState.RESIZE_REVERTING

    def host(self, job: Job[RevertState]) -> str:
        return job.state.source_host

    def wait_deadline(self, job: Job[RevertState]) -> int:
        return int(job.world.conf.conductor.build_timeout) + MARGIN

    def run(self, job: Job[RevertState]) -> Wait:
        # On one host this removes the new disks, too: from now on there is no other end.
        job.state = changed(job.state, removed=True)
        return Wait(self.host(job))

    def send(self, job: Job[RevertState], fence: Fence) -> None:
        state = job.state
        order = PutBackOrder(
            fence=fence, instance=_as_before(job), vifs=state.vifs, block_devices=disks(job, moved_to=state.source_host),
            power_on=state.departure.vm_state == VmState.ACTIVE, deadline=self.wait_deadline(job) - MARGIN,
        )
        job.world.compute(Moves, self.host(job)).put_back(job.context, order=order)


class AwaitPortsBack(AwaitPorts[RevertState]):
    """Of a server which runs again, elsewhere than before. There is no other end: when they are not plugged it ends in ERROR."""

    def needed(self, job: Job[RevertState]) -> bool:
        state = job.state
        moved = state.dest_host != state.source_host
        return moved and state.departure.vm_state == VmState.ACTIVE and super().needed(job)


AWAITED = AwaitPortsBack()


class Settle(Step[RevertState]):
    """Count the server's old size alone against the project's quota."""

    name = "settle"

    def run(self, job: Job[RevertState]) -> Done:
        _give_back(job)
        return Done()


class RevertResizeTask(TaskKind[RevertState]):
    """The whole way back."""

    kind = move_tasks.REVERT_RESIZE
    state_type = RevertState
    steps = (RemoveNew(), BindBack(), PutBack(), AWAITED, Settle())

    def finish(self, session: Session, job: Job[RevertState]) -> None:
        self._return(session, job)
        departed = VmState(job.state.departure.vm_state)
        # While ports are waited for, what the host reported may be forgotten.
        power_state = PowerState.RUNNING if AWAITED.needed(job) else None
        row = common.finish(session, job, event="compute_finish_revert_resize", vm_state=departed, power_state=power_state)
        self._place(session, job, row)

    def failed(self, session: Session, job: Job[RevertState]) -> None:
        if not job.state.removed:
            server_migrations.update(session, job.state.migration_uuid, server_migrations.FINISHED, now=job.world.clock.now())
            common.fail(session, job, event="compute_revert_resize", vm_state=VmState.RESIZED)
            return
        self._return(session, job)
        row = common.fail(session, job, event="compute_finish_revert_resize", vm_state=VmState.ERROR)
        self._place(session, job, row)

    @staticmethod
    def _return(session: Session, job: Job[RevertState]) -> None:
        claims.exchange(session, job.instance.uuid, epoch=job.task.epoch)      # hosts are locked before instances
        claims.release(session, job.instance.uuid, epoch=job.task.epoch, roles=(claims.MIGRATION,))
        server_migrations.update(session, job.state.migration_uuid, "reverted", now=job.world.clock.now())

    @staticmethod
    def _place(session: Session, job: Job[RevertState], row: InstanceRow) -> None:
        before = job.state.departure
        resizes.place(
            session, row, host=before.host, node=before.node, availability_zone=before.availability_zone, flavor=before.flavor,
            vifs=job.state.vifs, auto_disk_config=before.auto_disk_config,
        )


def _give_back(job: Job[RevertState]) -> None:
    job.world.cells.shared.write(reservations.cancel, job.state.migration_uuid)


def _as_before(job: Job[RevertState]) -> Instance:
    before = job.state.departure
    return replace(
        job.instance, flavor=before.flavor, root_gb=before.flavor.root_gb, host=before.host, node=before.node,
        availability_zone=before.availability_zone, auto_disk_config=before.auto_disk_config, hardware=before.hardware,
    )
