"""Attach a port to a server: allocate / free it, plug / unplug it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Step, TaskKind, changed
from novalike.conductor.tasks import plugging
from novalike.db import devices
from novalike.exception import NovalikeError
from novalike.objects.device_tasks import ATTACH_INTERFACE, AttachInterfaceState, InterfaceOrder
from novalike.objects.tasks import Fence
from novalike.rpc.compute import Devices

EVENT = "compute_attach_interface"


class Allocate(Step[AttachInterfaceState]):
    """Make or take over the port, bound to the server's host."""

    name = "allocate"

    def run(self, job: Job[AttachInterfaceState]) -> Done:
        host = job.instance.host
        if host is None:
            raise NovalikeError("The server is on no host.")
        vif = job.world.networks.allocate_nic(job.task.caller, job.instance, job.state.requested, nic=job.state.nic, host=host)
        job.state = changed(job.state, vif=vif)
        return Done()

    def undo(self, job: Job[AttachInterfaceState]) -> Done:
        # Which port it was is not known after a crash right behind its making: its place is.
        networks, caller, uuid = job.world.networks, job.task.caller, job.instance.uuid
        for vif in networks.info(caller, uuid):
            if vif.nic == job.state.nic:
                networks.free_port(caller, uuid, vif.port_id)
        job.state = changed(job.state, vif=None)
        return Done()


class Plug(plugging.PlugStep[AttachInterfaceState]):
    """Give it to the server, and plug it into its guest."""

    name = "plug"

    def change(self, job: Job[AttachInterfaceState]) -> bool:
        assert job.state.vif is not None
        return job.cell.write(
            devices.place_port, job.instance.uuid, job.state.vif, epoch=job.task.epoch, now=job.world.clock.now(),
        )

    def change_back(self, job: Job[AttachInterfaceState]) -> bool:
        return job.cell.write(
            devices.take_nic, job.instance.uuid, job.state.nic, epoch=job.task.epoch, now=job.world.clock.now(),
        )

    def send(self, job: Job[AttachInterfaceState], fence: Fence) -> None:
        self._client(job).attach_interface(job.context, order=self._order(job, fence))

    def send_undo(self, job: Job[AttachInterfaceState], fence: Fence) -> None:
        self._client(job).detach_interface(job.context, order=self._order(job, fence))

    @staticmethod
    def _client(job: Job[AttachInterfaceState]) -> Any:
        return job.world.compute(Devices, job.task.waiting_host or "")

    @staticmethod
    def _order(job: Job[AttachInterfaceState], fence: Fence) -> InterfaceOrder:
        assert job.state.vif is not None
        return InterfaceOrder(fence=fence, instance=job.instance, vif=job.state.vif, deadline=plugging.order_deadline(job))


class AttachInterfaceTask(TaskKind[AttachInterfaceState]):
    """The whole attachment."""

    kind = ATTACH_INTERFACE
    state_type = AttachInterfaceState
    steps = (Allocate(), Plug())

    def finish(self, session: Session, job: Job[AttachInterfaceState]) -> None:
        plugging.succeeded(session, job, event=EVENT)

    def failed(self, session: Session, job: Job[AttachInterfaceState]) -> None:
        plugging.failed(session, job, event=EVENT)

    def fenced(self, job: Job[AttachInterfaceState]) -> None:
        # A delete frees the ports it finds; one that this lease allocated a moment later would have no owner.
        if plugging.is_gone(job):
            job.world.networks.free(job.task.caller, job.instance.uuid)

