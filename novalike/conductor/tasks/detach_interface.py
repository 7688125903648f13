"""Detach a port from a server: unplug / plug it, free it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Step, TaskKind
from novalike.conductor.tasks import plugging
from novalike.db import devices
from novalike.objects.device_tasks import DETACH_INTERFACE, DetachInterfaceState, InterfaceOrder
from novalike.objects.tasks import Fence
from novalike.rpc.compute import Devices

EVENT = "compute_detach_interface"


class Unplug(plugging.PlugStep[DetachInterfaceState]):
    """Take it from the server, and have its guest let go of it."""

    name = "unplug"

    def change(self, job: Job[DetachInterfaceState]) -> bool:
        return job.cell.write(
            devices.take_nic, job.instance.uuid, job.state.vif.nic, epoch=job.task.epoch, now=job.world.clock.now(),
        )

    def change_back(self, job: Job[DetachInterfaceState]) -> bool:
        return job.cell.write(
            devices.place_port, job.instance.uuid, job.state.vif, epoch=job.task.epoch, now=job.world.clock.now(),
        )

    def send(self, job: Job[DetachInterfaceState], fence: Fence) -> None:
        self._client(job).detach_interface(job.context, order=self._order(job, fence))

    def send_undo(self, job: Job[DetachInterfaceState], fence: Fence) -> None:
        self._client(job).attach_interface(job.context, order=self._order(job, fence))

    @staticmethod
    def _client(job: Job[DetachInterfaceState]) -> Any:
        return job.world.compute(Devices, job.task.waiting_host or "")

    @staticmethod
    def _order(job: Job[DetachInterfaceState], fence: Fence) -> InterfaceOrder:
        return InterfaceOrder(fence=fence, instance=job.instance, vif=job.state.vif, deadline=plugging.order_deadline(job))


class Free(Step[DetachInterfaceState]):
    """Give the port back."""

    name = "free"

    def run(self, job: Job[DetachInterfaceState]) -> Done:
        job.world.networks.free_port(job.task.caller, job.instance.uuid, job.state.vif.port_id)
        return Done()


class DetachInterfaceTask(TaskKind[DetachInterfaceState]):
    """The whole detachment."""

    kind = DETACH_INTERFACE
    state_type = DetachInterfaceState
    steps = (Unplug(), Free())

    def finish(self, session: Session, job: Job[DetachInterfaceState]) -> None:
        plugging.succeeded(session, job, event=EVENT)

    def failed(self, session: Session, job: Job[DetachInterfaceState]) -> None:
        plugging.failed(session, job, event=EVENT)
