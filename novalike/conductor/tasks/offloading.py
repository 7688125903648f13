"""Taking a shelved server off its host: from the first order on there is no way back, and no failure either."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from sqlalchemy.orm import Session

from novalike.conductor.steps import Again, Done, Job, Resend, Step, Wait, changed
from novalike.conductor.tasks.common import PATIENCE, is_down
from novalike.conductor.tasks.orders import destroy_order
from novalike.db import claims, debts, shelving
from novalike.db.models.instances import InstanceRow
from novalike.objects.states import PowerState, VmState
from novalike.objects.tasks import Debt, Fence, Outcome
from novalike.rpc.compute import Build

#: Seconds after which a host which failed is ordered again.
PAUSE = 5.0


class Leaving(Protocol):
    """What the steps need of a state: see ShelveState."""

    @property
    def host(self) -> str: ...
    @property
    def leaving(self) -> bool: ...
    @property
    def left(self) -> bool: ...


S = TypeVar("S", bound=Leaving)


class Offload(Step[S]):
    """The host removes the server, disks and all; one which cannot owes it. Its undo goes the same way: there is no other."""

    name = "offload"
    unstoppable = True

    def wanted(self, job: Job[S]) -> bool:
        """Answer whether the server is to leave its host now."""
        return True

    def image_id(self, job: Job[S]) -> str:
        """Answer in which image the server is complete."""
        raise NotImplementedError

    def wait_deadline(self, job: Job[S]) -> int:
        return int(job.world.conf.conductor.destroy_timeout)

    def run(self, job: Job[S]) -> Done | Wait:
        if job.state.left or not self.wanted(job):
            return Done()
        job.state = changed(job.state, leaving=True)
        return Wait(job.state.host)

    def store(self, session: Session, job: Job[S]) -> None:
        shelving.leaving(
            session, job.instance.uuid, image_id=self.image_id(job), host=job.state.host, now=job.world.clock.now(),
        )

    def send(self, job: Job[S], fence: Fence) -> None:
        order = destroy_order(job.instance, fence, job.instance.network_info)
        job.world.compute(Build, job.state.host).destroy(job.context, order=order)

    def hopeless(self, job: Job[S]) -> bool:
        return is_down(job, job.state.host, patience=PATIENCE)

    def ended(self, job: Job[S], outcome: Outcome) -> Done | Again | Resend:
        if outcome.error is not None:
            return Resend(PAUSE)
        job.state = changed(job.state, left=True)
        return Done()

    def overdue(self, job: Job[S]) -> Done | Again:
        self._owe(job)
        return Done()

    def undo(self, job: Job[S]) -> Done | Wait:
        return Wait(job.state.host) if job.state.leaving and not job.state.left else Done()

    def send_undo(self, job: Job[S], fence: Fence) -> None:
        self.send(job, fence)

    def undo_ended(self, job: Job[S], outcome: Outcome) -> None:
        job.state = changed(job.state, left=True)

    def undo_overdue(self, job: Job[S]) -> None:
        if job.state.leaving and not job.state.left:
            self._owe(job)

    @staticmethod
    def _owe(job: Job[S]) -> None:
        job.cell.write(debts.owe, Debt(
            host=job.state.host, instance_uuid=job.instance.uuid, epoch=job.task.epoch, instance_name=job.instance.name,
            vifs=job.instance.network_info,
        ), now=job.world.clock.now())
        job.state = changed(job.state, left=True)


class Unbind(Step[S]):
    """The server's ports stay its own, and belong to no host."""

    name = "unbind"
    unstoppable = True

    def run(self, job: Job[S]) -> Done:
        if job.state.left:
            job.world.networks.rebind(job.task.caller, job.instance, host="")
        return Done()

    def overdue(self, job: Job[S]) -> Done:
        # They are bound anew when the server comes back.
        return Done()

    def undo(self, job: Job[S]) -> Done:
        if job.state.leaving:
            job.world.networks.rebind(job.task.caller, job.instance, host="")
        return Done()


def release(session: Session, job: Job[Any]) -> None:
    """Give back what the server held on its host. Call it before the instance is locked."""
    claims.release(session, job.instance.uuid, epoch=job.task.epoch, clear_host=True)


def left(row: InstanceRow) -> None:
    """Write in a locked row that the server is on no host any more."""
    row.vm_state = VmState.SHELVED_OFFLOADED
    row.power_state = PowerState.SHUTDOWN
    row.host = row.node = row.availability_zone = None
