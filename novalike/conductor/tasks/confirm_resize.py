"""Confirm a resize: the source drops what it kept, the old place's claim and the quota's difference are given back."""

from __future__ import annotations

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Resend, Step, TaskKind, Wait
from novalike.conductor.tasks import common
from novalike.conductor.tasks.common import HostStep
from novalike.conductor.tasks.orders import destroy_order
from novalike.db import claims, debts, reservations, server_migrations
from novalike.exception import NovalikeError
from novalike.objects import move_tasks
from novalike.objects.move_tasks import ConfirmState, DropAsideOrder
from novalike.objects.states import PowerState, VmState
from novalike.objects.tasks import Debt, Fence, Outcome
from novalike.rpc.compute import Build, Moves

#: Seconds after which a host which failed is ordered again.
PAUSE = 5.0
_OFF = (PowerState.SHUTDOWN, PowerState.CRASHED)


class Clean(HostStep[ConfirmState]):
    """Have the source remove the old disks; a source which is down, or cannot, owes it."""

    name = "clean"

    def host(self, job: Job[ConfirmState]) -> str:
        return job.state.source_host

    def wait_deadline(self, job: Job[ConfirmState]) -> int:
        return int(job.world.conf.conductor.destroy_timeout)

    def run(self, job: Job[ConfirmState]) -> Done | Wait:
        if not self._stays(job) and common.is_down(job, job.state.source_host):
            self._owe(job)
            return Done()
        return Wait(self.host(job))

    @staticmethod
    def _stays(job: Job[ConfirmState]) -> bool:
        """Whether the server runs where its old disks are."""
        return job.instance.host == job.state.source_host

    def send(self, job: Job[ConfirmState], fence: Fence) -> None:
        host, instance = job.state.source_host, job.instance
        if self._stays(job):
            order = DropAsideOrder(fence=fence, instance=instance, deadline=self.wait_deadline(job))
            job.world.compute(Moves, host).drop_aside(job.context, order=order)
        else:
            job.world.compute(Build, host).destroy(job.context, order=destroy_order(instance, fence, job.state.vifs))

    def ended(self, job: Job[ConfirmState], outcome: Outcome) -> Done | Resend:
        if outcome.error is not None and not outcome.stale:
            return Resend(PAUSE)
        return Done()

    def overdue(self, job: Job[ConfirmState]) -> Done:
        if self._stays(job):
            raise NovalikeError("The host did not remove the server's old disks in time.")
        self._owe(job)
        return Done()

    @staticmethod
    def _owe(job: Job[ConfirmState]) -> None:
        job.cell.write(debts.owe, Debt(
            host=job.state.source_host, instance_uuid=job.instance.uuid, epoch=job.task.epoch, instance_name=job.instance.name,
            vifs=job.state.vifs,
        ), now=job.world.clock.now())


class Settle(Step[ConfirmState]):
    """Count the server's new size against the project's quota, and no more the larger of both."""

    name = "settle"

    def run(self, job: Job[ConfirmState]) -> Done:
        flavor = job.state.flavor
        job.world.cells.shared.write(
            reservations.settle, job.state.migration_uuid, job.instance.uuid, cores=flavor.vcpus, ram=flavor.memory_mb,
        )
        return Done()


class ConfirmResizeTask(TaskKind[ConfirmState]):
    """The whole confirmation."""

    kind = move_tasks.CONFIRM_RESIZE
    state_type = ConfirmState
    steps = (Clean(), Settle())

    def finish(self, session: Session, job: Job[ConfirmState]) -> None:
        claims.release(session, job.instance.uuid, epoch=job.task.epoch, roles=(claims.MIGRATION,))
        server_migrations.update(session, job.state.migration_uuid, "confirmed", now=job.world.clock.now())
        row = common.finish(session, job, event="compute_confirm_resize", power_state=job.instance.power_state)
        if row.vm_state == VmState.RESIZED:
            row.vm_state = VmState.STOPPED if row.power_state in _OFF else VmState.ACTIVE

    def failed(self, session: Session, job: Job[ConfirmState]) -> None:
        server_migrations.update(session, job.state.migration_uuid, server_migrations.FINISHED, now=job.world.clock.now())
        common.fail(session, job, event="compute_confirm_resize")
