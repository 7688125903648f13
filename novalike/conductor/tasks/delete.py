"""Delete a server: destroy it on every host which may hold a piece, release its volumes, free its ports and quota, mark it
deleted.

It never fails: a host which cannot be reached, or cannot do it, owes its cleanup, and the delete goes on.
"""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from novalike.conductor.steps import Again, Done, Job, Resend, Step, TaskKind, Wait, changed
from novalike.conductor.tasks.imaging import drop_image
from novalike.conductor.tasks.orders import destroy_order
from novalike.db import action_log, debts, deletions, hosts, mappings
from novalike.exception import NotFound, NovalikeError, Unavailable
from novalike.objects.block_device import BlockDevice
from novalike.objects.tasks import Debt, DeleteState, Fence, Outcome
from novalike.rpc.compute import Build

LOG = logging.getLogger(__name__)

EVENT = "compute_terminate_instance"
COMPUTE = "novalike-compute"
#: Seconds after which a host which failed is ordered again.
PAUSE = 5.0


class Destroy(Step[DeleteState]):
    """One host after the other; usually there is one."""

    name = deletions.FIRST_STEP

    def wait_deadline(self, job: Job[DeleteState]) -> int:
        return int(job.world.conf.conductor.destroy_timeout)

    def run(self, job: Job[DeleteState]) -> Done | Wait:
        for host in self._pending(job):
            if self._is_up(job, host):
                return Wait(host)
            self._owe(job, host)
        return Done()

    @staticmethod
    def _pending(job: Job[DeleteState]) -> list[str]:
        return [host for host in job.state.hosts if host not in job.state.done]

    @staticmethod
    def _is_up(job: Job[DeleteState], host: str) -> bool:
        with job.cell.read() as session:
            try:
                return hosts.find_service(session, host, COMPUTE, down_after=job.world.conf.service_down_time).up
            except NotFound:
                return False

    @staticmethod
    def _owe(job: Job[DeleteState], host: str) -> None:
        job.cell.write(debts.owe, Debt(
            host=host, instance_uuid=job.instance.uuid, epoch=job.task.epoch, instance_name=job.instance.name, vifs=job.state.vifs,
        ), now=job.world.clock.now())
        job.state = changed(job.state, done=(*job.state.done, host))

    def send(self, job: Job[DeleteState], fence: Fence) -> None:
        host = job.task.waiting_host
        assert host is not None
        order = destroy_order(job.instance, fence, job.state.vifs)
        job.world.compute(Build, host).destroy(job.context, order=order)

    def ended(self, job: Job[DeleteState], outcome: Outcome) -> Done | Again | Resend:
        if outcome.error is not None:
            return Resend(PAUSE)
        job.state = changed(job.state, done=(*job.state.done, outcome.host))
        return Again(0.0) if self._pending(job) else Done()

    def overdue(self, job: Job[DeleteState]) -> Again:
        host = job.task.waiting_host or next(iter(self._pending(job)), None)
        if host is not None:
            self._owe(job, host)
        return Again(0.0)


class Release(Step[DeleteState]):
    """Give back volumes, and delete those which are to end with the server."""

    name = "release"

    def run(self, job: Job[DeleteState]) -> Done:
        for device in job.state.block_devices:
            self._release(job, device)
        return Done()

    @staticmethod
    def _release(job: Job[DeleteState], device: BlockDevice) -> None:
        volumes, caller, volume_id = job.world.volumes, job.task.caller, device.volume_id
        if volume_id is None:
            return
        volumes.release(caller, volume_id, job.instance.uuid)
        if device.delete_on_termination:
            try:
                volumes.delete(caller, volume_id)
            except Unavailable:
                raise
            except NovalikeError as error:       # somebody else has it attached, or it has snapshots
                LOG.warning("volume %s of instance %s stays: %s %s", volume_id, job.instance.uuid, error, error.details)

    def overdue(self, job: Job[DeleteState]) -> Done:
        """A volume service which refuses for good keeps no server from ending; one that is away is waited for."""
        for device in job.state.block_devices:
            try:
                self._release(job, device)
            except Unavailable:
                raise
            except NovalikeError:
                LOG.exception("volume %s of instance %s is left to the volume service", device.volume_id, job.instance.uuid)
        return Done()


class Free(Step[DeleteState]):
    """Give back ports and quota."""

    name = "free"

    def run(self, job: Job[DeleteState]) -> Done:
        job.world.networks.free(job.task.caller, job.instance.uuid)
        job.world.cells.shared.write(mappings.release, job.instance.uuid)
        return Done()

    def overdue(self, job: Job[DeleteState]) -> Done:
        """A network service which refuses for good keeps no server from ending; one that is away is waited for."""
        try:
            return self.run(job)
        except Unavailable:
            raise
        except NovalikeError:
            LOG.exception("the ports of instance %s could not be freed and are left to the network service", job.instance.uuid)
            job.world.cells.shared.write(mappings.release, job.instance.uuid)
            return Done()


class DropImages(Step[DeleteState]):
    """Delete what a shelved server was kept in, and images of it which were never completed."""

    name = "drop_images"

    def run(self, job: Job[DeleteState]) -> Done:
        for image in job.state.images:
            drop_image(job, image)
        for image in job.state.new_images:
            drop_image(job, image, unfinished=True)
        return Done()

    def overdue(self, job: Job[DeleteState]) -> Done:
        try:
            return self.run(job)
        except Unavailable:
            LOG.exception("images %s of instance %s are left to the image service", job.state.images, job.instance.uuid)
            return Done()


class DeleteTask(TaskKind[DeleteState]):
    """The whole delete."""

    kind = deletions.KIND
    state_type = DeleteState
    steps = (Destroy(), Release(), Free(), DropImages())
    unstoppable = True

    def finish(self, session: Session, job: Job[DeleteState]) -> None:
        now = job.world.clock.now()
        deletions.finish(session, job.instance.uuid, job.task.epoch, now=now)
        action_log.finish(session, job.instance.uuid, job.task.caller.request_id, event=EVENT, now=now)
