"""Build a server: place / release, allocate / free, spawn / destroy, await its ports and let it run, finish."""

from __future__ import annotations

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Retry, Step, TaskKind, changed
from novalike.conductor.tasks.await_ports import AwaitPorts
from novalike.conductor.tasks.placement import Place, Resume, Spawn, explained
from novalike.db import action_log, hosts, instances
from novalike.exception import NovalikeError
from novalike.network.client import BindingFailed
from novalike.objects.states import PowerState, VmState
from novalike.objects.tasks import BuildState

EVENT = "compute__do_build_and_run_instance"


class Allocate(Step[BuildState]):
    """Make or take over the server's ports, bound to its host."""

    name = "allocate"
    patient = True
    undone_by_delete = True

    def wait_deadline(self, job: Job[BuildState]) -> int:
        return int(job.world.conf.conductor.allocate_timeout)

    def overdue(self, job: Job[BuildState]) -> Done | Retry:
        raise NovalikeError(f"The network service did not give the server its ports within {self.wait_deadline(job)} seconds.")

    def run(self, job: Job[BuildState]) -> Done | Retry:
        state = job.state
        assert state.host is not None
        try:
            vifs = job.world.networks.allocate(
                job.task.caller, job.instance, state.requested_networks or (), host=state.host, security_groups=state.security_groups,
            )
        except BindingFailed as error:
            return BuildSpawn.elsewhere(job, str(error), details=error.details)
        job.state = changed(state, vifs=vifs)
        return Done()

    def undo(self, job: Job[BuildState]) -> Done:
        job.world.networks.free(job.task.caller, job.instance.uuid)
        job.state = changed(job.state, vifs=())
        return Done()


class BuildSpawn(Spawn[BuildState]):
    """The first spawn of a server."""

    event = EVENT


class BuildTask(TaskKind[BuildState]):
    """The whole build on one screen."""

    kind = "build"
    state_type = BuildState
    steps = (Place(), Allocate(), BuildSpawn(), AwaitPorts(), Resume())

    def finish(self, session: Session, job: Job[BuildState]) -> None:
        now = job.world.clock.now()
        outcome = job.state.spawned or job.outcome
        assert outcome is not None               # its host reported just now, or before its ports were waited for
        power_state = (job.outcome or outcome).power_state
        hosts.reset_build_failures(session, outcome.host)    # hosts are locked before instances
        row = instances.lock(session, job.instance.uuid)
        row.vm_state = VmState.ACTIVE
        row.task_state = None
        row.power_state = power_state if power_state is not None else PowerState.RUNNING
        row.launched_at = row.updated_at = now
        row.progress = 0
        row.fault = None
        if outcome.root_device_name:
            row.document = {**row.document, "root_device_name": outcome.root_device_name}
        action_log.finish(
            session, job.instance.uuid, job.task.caller.request_id, event=EVENT, now=now, host=outcome.host, started=outcome.started_at,
        )

    def failed(self, session: Session, job: Job[BuildState]) -> None:
        now = job.world.clock.now()
        row = instances.lock(session, job.instance.uuid)
        message = explained(job, "The build failed.")
        row.vm_state = VmState.ERROR
        row.task_state = None
        row.host = row.node = None
        row.network_info = []
        row.updated_at = now
        instances.record_fault(session, row, code=500, message=message, details=job.failure_details, now=now)
        action_log.finish(
            session, job.instance.uuid, job.task.caller.request_id, event="conductor_schedule_and_build_instances", now=now, error=message,
            details=job.failure_details,
        )

    def fenced(self, job: Job[BuildState]) -> None:
        # A DELETE frees the ports it finds; those which this lease allocated a moment later would have no owner.
        if job.step.name != Place.name:
            with job.cell.read() as session:
                gone = not instances.existing(session, [job.instance.uuid])
            if gone:
                job.world.networks.free(job.task.caller, job.instance.uuid)
