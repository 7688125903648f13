"""Rebuild a server on its host: check, prepare / abandon, replace, spawn, finish.

Until its disks are replaced the server is as it was, and a failure leaves it so. From then on it is the new one: what fails
leaves it in ERROR, from where it can be rebuilt or rebooted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from novalike.conductor.steps import Again, Done, Job, Resend, Retry, Step, TaskKind, Wait, changed
from novalike.conductor.tasks import common
from novalike.conductor.tasks.common import HostStep
from novalike.conductor.tasks.orders import disks, image_source, require_images
from novalike.db import block_devices, instances
from novalike.objects.instance import Instance
from novalike.objects.rebuild import RebuildOrder, RebuildState
from novalike.objects.request_spec import RequestSpec
from novalike.objects.states import PowerState, TaskState, VmState
from novalike.objects.tasks import Fence, Outcome
from novalike.rpc.compute import Rebuild

EVENT = "compute_rebuild_instance"
#: Seconds for which the host's own report of a passed deadline is waited for.
MARGIN = 15
#: Seconds to start a guest, and what is left for it to shut down beside the time which the image gives it.
SPAWN_TIME, REPLACE_TIME = 180, 120
#: Longest time for a guest to shut down which is believed an image.
LONGEST_SHUTDOWN = 3600
SILENT = "its host did not tell what became of its disks"


class Check(Step[RebuildState]):
    """Ask whether the server's host can run the new image. Nothing is claimed: the flavor stays."""

    name = "check"

    def run(self, job: Job[RebuildState]) -> Done:
        common.require_up(job)
        server = _target(job)
        require_images(job, server.image_ref, server.kernel_id, server.ramdisk_id)
        if job.state.other_image:
            job.world.scheduler.check_rebuild(job.context, spec=RequestSpec(
                instance_uuid=server.uuid, project_id=server.project_id, user_id=server.user_id, flavor=server.flavor,
                epoch=job.task.epoch, image_ref=server.image_ref, image_properties=server.image_properties,
                image_min_ram=job.state.image_min_ram, availability_zone=server.requested_zone, hints=server.scheduler_hints,
                requested_host=server.host, requested_node=server.node, server_group=server.server_group,
            ))
        return Done()


class Prepare(HostStep[RebuildState]):
    """Have the host make the new disks; the guest goes on. Its undo asks what became of the rebuild and lets the guest be."""

    name = "prepare"
    task_state = TaskState.REBUILDING
    undo_deadline = 120

    def wait_deadline(self, job: Job[RebuildState]) -> int:
        return int(job.world.conf.conductor.build_timeout) + MARGIN

    def run(self, job: Job[RebuildState]) -> Wait:
        host = self.host(job)
        job.state = changed(job.state, host=host)
        return Wait(host)

    def send(self, job: Job[RebuildState], fence: Fence) -> None:
        state, server = job.state, _target(job)
        sealed = state.encrypted_password
        _client(job).prepare(job.context, order=replace(
            _order(job, fence, server, deadline=self.wait_deadline(job) - MARGIN),
            image=image_source(job, server.image_ref), kernel=image_source(job, server.kernel_id),
            ramdisk=image_source(job, server.ramdisk_id), admin_password=job.world.vault.open(sealed) if sealed else None,
            files=state.files, preserve_ephemeral=state.preserve_ephemeral,
        ))

    def undo(self, job: Job[RebuildState]) -> Done | Wait:
        state = job.state
        return Done() if state.host is None or state.replaced or state.answered else Wait(state.host)

    def send_undo(self, job: Job[RebuildState], fence: Fence) -> None:
        server = job.instance
        _client(job).abandon(job.context, order=replace(
            _order(job, fence, server, deadline=self.undo_deadline), start=server.power_state == PowerState.RUNNING,
        ))

    def undo_ended(self, job: Job[RebuildState], outcome: Outcome) -> None:
        job.outcome = outcome
        job.state = changed(job.state, answered=True, replaced=outcome.dirty, silent=outcome.stale)

    def undo_overdue(self, job: Job[RebuildState]) -> None:
        job.state = changed(job.state, answered=True, silent=True)


class Replace(HostStep[RebuildState]):
    """Have the host shut the guest down and put the new disks in place."""

    name = "replace"
    task_state = TaskState.REBUILD_BLOCK_DEVICE_MAPPING

    def wait_deadline(self, job: Job[RebuildState]) -> int:
        try:
            patience = int(job.instance.image_properties.get("os_shutdown_timeout", job.world.conf.shutdown_timeout))
        except ValueError:
            patience = job.world.conf.shutdown_timeout
        return max(0, min(patience, LONGEST_SHUTDOWN)) + REPLACE_TIME + MARGIN

    def send(self, job: Job[RebuildState], fence: Fence) -> None:
        _client(job).replace(job.context, order=_order(job, fence, job.instance, deadline=self.wait_deadline(job) - MARGIN))

    def ended(self, job: Job[RebuildState], outcome: Outcome) -> Done | Retry | Again | Resend:
        done = super().ended(job, outcome)
        job.state = changed(job.state, replaced=True)
        return done


class Spawn(HostStep[RebuildState]):
    """Have the host define the new guest and start it, unless the server was stopped."""

    name = "spawn"
    task_state = TaskState.REBUILD_SPAWNING
    deadline = SPAWN_TIME + MARGIN

    def store(self, session: Session, job: Job[RebuildState]) -> None:
        super().store(session, job)
        _apply(session, job)                     # first: a guest which boots asks the metadata service who it is

    def send(self, job: Job[RebuildState], fence: Fence) -> None:
        order = _order(job, fence, _target(job), deadline=SPAWN_TIME)
        _client(job).spawn(job.context, order=replace(order, start=_runs_afterwards(job)))


class RebuildTask(TaskKind[RebuildState]):
    """The whole rebuild."""

    kind = "rebuild"
    state_type = RebuildState
    steps = (Check(), Prepare(), Replace(), Spawn())

    def finish(self, session: Session, job: Job[RebuildState]) -> None:
        row = common.finish(session, job, event=EVENT, vm_state=VmState.ACTIVE if _runs_afterwards(job) else VmState.STOPPED)
        if job.outcome is not None and job.outcome.root_device_name:
            row.document = {**row.document, "root_device_name": job.outcome.root_device_name}

    def failed(self, session: Session, job: Job[RebuildState]) -> None:
        state = job.state
        if state.replaced:
            _apply(session, job)
        message = f"{(job.failure or 'The rebuild failed').rstrip('.')}; {SILENT}." if state.silent else None
        row = common.fail(
            session, job, event=EVENT, vm_state=VmState.ERROR if state.replaced or state.silent else None, message=message,
        )
        if job.outcome is not None and job.outcome.power_state is not None:
            row.power_state = job.outcome.power_state


def _target(job: Job[RebuildState]) -> Instance:
    """Answer the server as it will be."""
    changes: dict[str, Any] = job.state.changes
    return replace(job.instance, **changes)


def _runs_afterwards(job: Job[RebuildState]) -> bool:
    return job.instance.vm_state != VmState.STOPPED


def _client(job: Job[RebuildState]) -> Rebuild:
    client: Rebuild = job.world.compute(Rebuild, job.state.host or "")
    return client


def _order(job: Job[RebuildState], fence: Fence, server: Instance, *, deadline: int) -> RebuildOrder:
    return RebuildOrder(
        fence=fence, attempt=job.task.id, instance=server, vifs=server.network_info, block_devices=disks(job), deadline=deadline,
    )


def _apply(session: Session, job: Job[RebuildState]) -> None:
    """Write what the rebuild changes. A password which the old system posted is of no use to anybody any more."""
    changes: dict[str, Any] = job.state.changes

    def apply(server: Instance) -> dict[str, Any]:
        kept = {name: value for name, value in server.system_metadata.items() if not name.startswith(("password_", "image_"))}
        return {**changes, "system_metadata": kept | job.state.image_facts}
    instances.change(session, job.instance.uuid, job.world.clock.now(), apply)
    if "image_ref" in changes:
        block_devices.set_root_image(session, job.instance.uuid, str(changes["image_ref"]))
