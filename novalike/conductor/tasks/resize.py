"""Resize or cold-migrate a server: place / release, move out / put back, fetch / destroy, bind / bind back, arrive.

The server's own claim stays on the source; the new place is claimed beside it. When the server has arrived both exchange
their roles: what the source keeps is there until the move is confirmed or reverted (other tasks).
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Retry, Step, TaskKind, Wait, changed, without
from novalike.conductor.tasks import common
from novalike.conductor.tasks.common import HostStep
from novalike.conductor.tasks.orders import destroy_order, disks
from novalike.db import block_devices, claims, debts, instances, reservations, resizes, server_migrations
from novalike.exception import NovalikeError
from novalike.network.client import BindingFailed
from novalike.objects import move_tasks
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.move_tasks import ArriveOrder, FetchOrder, MoveOutOrder, PutBackOrder, ResizeState
from novalike.objects.request_spec import RequestSpec
from novalike.objects.secret import Secret
from novalike.objects.states import TaskState, VmState
from novalike.objects.tasks import Debt, Fence, Outcome
from novalike.rpc.compute import Build, Moves

#: Seconds for which the host's own report of a passed deadline is waited for.
MARGIN = 15
STALE = "The host refused an order which it took for an old one."


class Place(Step[ResizeState]):
    """Choose the other host and claim it, beside what the server holds."""

    name = "place"
    notification = "resize_prep"

    def wait_deadline(self, job: Job[ResizeState]) -> int:
        return int(job.world.conf.conductor.allocate_timeout)

    def run(self, job: Job[ResizeState]) -> Done:
        instance, state = job.instance, job.state
        placement = job.world.scheduler.select_host(job.context, spec=RequestSpec(
            instance_uuid=instance.uuid, project_id=instance.project_id, user_id=instance.user_id, flavor=state.new_flavor,
            epoch=job.task.epoch, role=claims.MIGRATION, image_ref=instance.image_ref, image_properties=instance.image_properties,
            availability_zone=instance.requested_zone, hints=instance.scheduler_hints, requested_host=state.requested_host,
            excluded_hosts=state.excluded_hosts, leaves_host=None if state.same_host_allowed else state.source_host,
            server_group=instance.server_group,
        ))
        ticket = state.encrypted_ticket or job.world.vault.seal(Secret(secrets.token_urlsafe(32)))
        job.state = changed(
            state, dest_host=placement.host, dest_node=placement.node, dest_zone=placement.availability_zone, encrypted_ticket=ticket,
            dest_hardware=placement.hardware,
        )
        return Done()

    def undo(self, job: Job[ResizeState]) -> Done:
        job.cell.write(claims.release, job.instance.uuid, epoch=job.task.epoch, roles=(claims.MIGRATION,))
        job.world.cells.shared.write(reservations.cancel, job.state.migration_uuid)
        return Done()


class MoveOut(HostStep[ResizeState]):
    """Have the source stop the server and put its disks aside. Undone, it takes them back and starts the server again."""

    name = "move_out"
    notification = "resize"
    task_state = TaskState.RESIZE_MIGRATING
    undo_deadline = 180

    def host(self, job: Job[ResizeState]) -> str:
        return job.state.source_host

    def wait_deadline(self, job: Job[ResizeState]) -> int:
        return int(job.world.conf.conductor.build_timeout) + MARGIN

    def run(self, job: Job[ResizeState]) -> Wait:
        job.state = changed(job.state, ordered_out=True)
        return Wait(self.host(job))

    def store(self, session: Session, job: Job[ResizeState]) -> None:
        super().store(session, job)
        state = job.state
        server_migrations.update(
            session, state.migration_uuid, "migrating", now=job.world.clock.now(), dest_host=state.dest_host, dest_node=state.dest_node,
        )

    def send(self, job: Job[ResizeState], fence: Fence) -> None:
        state = job.state
        order = MoveOutOrder(
            fence=fence, instance=job.instance, ticket=ticket(job), deadline=self.wait_deadline(job) - MARGIN,
            ticket_seconds=self.wait_deadline(job) + int(job.world.conf.conductor.move_timeout) + MARGIN,
        )
        job.world.compute(Moves, state.source_host).move_out(job.context, order=order)

    def ended(self, job: Job[ResizeState], outcome: Outcome) -> Done:
        super().ended(job, outcome)
        job.state = changed(job.state, offer=outcome.result.get("offer", ""))
        return Done()

    def undo(self, job: Job[ResizeState]) -> Done | Wait:
        return Wait(job.state.source_host) if job.state.ordered_out else Done()

    def send_undo(self, job: Job[ResizeState], fence: Fence) -> None:
        state, instance = job.state, job.instance
        order = PutBackOrder(
            fence=fence, instance=instance, vifs=instance.network_info, block_devices=disks(job, moved_to=state.source_host),
            power_on=state.departure.vm_state == VmState.ACTIVE, deadline=self.undo_deadline,
        )
        job.world.compute(Moves, state.source_host).put_back(job.context, order=order)

    def undo_ended(self, job: Job[ResizeState], outcome: Outcome) -> None:
        job.state = changed(job.state, ordered_out=False)

    def undo_overdue(self, job: Job[ResizeState]) -> None:
        job.state = changed(job.state, ordered_out=False, unsettled=True)


class DestinationStep(HostStep[ResizeState]):
    """A step of the destination, after whose failure another one may be tried."""

    def host(self, job: Job[ResizeState]) -> str:
        assert job.state.dest_host is not None
        return job.state.dest_host

    def ended(self, job: Job[ResizeState], outcome: Outcome) -> Done | Retry:
        if outcome.error is None and not outcome.stale:
            return Done()
        return self._elsewhere(job, outcome.error or STALE, details=outcome.details, retry=outcome.retry)

    def overdue(self, job: Job[ResizeState]) -> Retry:
        if self.hopeless(job):
            return self._elsewhere(job, "The host to which the server was to be moved went down.")
        return self._elsewhere(job, f"The host did not take the server within {self.wait_deadline(job)} seconds.")

    def hopeless(self, job: Job[ResizeState]) -> bool:
        return common.is_down(job, self.host(job))

    def _elsewhere(self, job: Job[ResizeState], error: str, *, details: str = "", retry: bool = True) -> Retry:
        return elsewhere(job, self.host(job), error, details=details, retry=retry)


def elsewhere(job: Job[ResizeState], host: str, error: str, *, details: str = "", retry: bool = True) -> Retry:
    """Give up a destination for another one. Raises NovalikeError when there is no other way."""
    state = job.state
    job.state = changed(
        state, attempts=state.attempts + 1, failures=(*state.failures, error), excluded_hosts=(*without(state.excluded_hosts, host), host),
    )
    if not retry or job.state.attempts >= job.world.conf.scheduler.max_attempts or state.requested_host:
        raise NovalikeError(error, details=details)
    return Retry(error)


class Fetch(DestinationStep):
    """Have the destination make the disks it needs of those which the source put aside."""

    name = "fetch"
    task_state = TaskState.RESIZE_MIGRATED
    undo_on_retry = True

    def wait_deadline(self, job: Job[ResizeState]) -> int:
        return int(job.world.conf.conductor.move_timeout) + MARGIN

    def run(self, job: Job[ResizeState]) -> Wait:
        state, host = job.state, self.host(job)
        if host != state.source_host:            # there, taking the server back removes what was made
            job.state = changed(state, dirty_hosts=(*without(state.dirty_hosts, host), host))
        return Wait(host)

    def send(self, job: Job[ResizeState], fence: Fence) -> None:
        state = job.state
        order = FetchOrder(
            fence=fence, instance=resized(job), source_host=state.source_host, offer=state.offer, ticket=ticket(job),
            block_devices=_local(job), deadline=self.wait_deadline(job) - MARGIN,
        )
        job.world.compute(Moves, self.host(job)).fetch(job.context, order=order)

    def undo(self, job: Job[ResizeState]) -> Done | Wait:
        return Wait(job.state.dirty_hosts[0]) if job.state.dirty_hosts else Done()

    def send_undo(self, job: Job[ResizeState], fence: Fence) -> None:
        host = job.task.waiting_host
        assert host is not None
        vifs = job.state.vifs or job.instance.network_info
        job.world.compute(Build, host).destroy(job.context, order=destroy_order(job.instance, fence, vifs))

    def undo_ended(self, job: Job[ResizeState], outcome: Outcome) -> None:
        job.state = changed(job.state, dirty_hosts=without(job.state.dirty_hosts, outcome.host))

    def undo_overdue(self, job: Job[ResizeState]) -> None:
        for host in job.state.dirty_hosts:
            job.cell.write(debts.owe, Debt(
                host=host, instance_uuid=job.instance.uuid, epoch=job.task.epoch, instance_name=job.instance.name,
                vifs=job.state.vifs or job.instance.network_info,
            ), now=job.world.clock.now())
        job.state = changed(job.state, dirty_hosts=())


class Bind(Step[ResizeState]):
    """Let the server's ports be on its new host."""

    name = "bind"

    def run(self, job: Job[ResizeState]) -> Done | Retry:
        state = job.state
        assert state.dest_host is not None
        try:
            vifs = job.world.networks.rebind(job.task.caller, resized(job), host=state.dest_host)
        except BindingFailed as error:
            return elsewhere(job, state.dest_host, str(error), details=error.details)
        job.state = changed(state, vifs=vifs)
        return Done()

    def undo(self, job: Job[ResizeState]) -> Done:
        job.world.networks.rebind(job.task.caller, job.instance, host=job.state.source_host)
        return Done()


class Arrive(DestinationStep):
    """Have the destination define the server in its new size, and start it if it ran before."""

    name = "arrive"
    notification = "resize_finish"
    task_state = TaskState.RESIZE_FINISH

    def wait_deadline(self, job: Job[ResizeState]) -> int:
        return int(job.world.conf.conductor.build_timeout) + MARGIN

    def store(self, session: Session, job: Job[ResizeState]) -> None:
        super().store(session, job)
        server_migrations.update(session, job.state.migration_uuid, "post-migrating", now=job.world.clock.now())

    def send(self, job: Job[ResizeState], fence: Fence) -> None:
        state = job.state
        order = ArriveOrder(
            fence=fence, instance=resized(job), vifs=state.vifs, block_devices=disks(job, moved_to=self.host(job)),
            power_on=state.departure.vm_state == VmState.ACTIVE, deadline=self.wait_deadline(job) - MARGIN,
        )
        job.world.compute(Moves, self.host(job)).arrive(job.context, order=order)


class ResizeTask(TaskKind[ResizeState]):
    """The whole move on one screen."""

    kind = move_tasks.RESIZE
    state_type = ResizeState
    steps = (Place(), MoveOut(), Fetch(), Bind(), Arrive())

    def finish(self, session: Session, job: Job[ResizeState]) -> None:
        state, now = job.state, job.world.clock.now()
        assert state.dest_host is not None
        assert state.dest_node is not None
        claims.exchange(session, job.instance.uuid, epoch=job.task.epoch)      # hosts are locked before instances
        server_migrations.update(session, state.migration_uuid, server_migrations.FINISHED, now=now)
        row = common.finish(session, job, event="compute_finish_resize", vm_state=VmState.RESIZED)
        resizes.place(
            session, row, host=state.dest_host, node=state.dest_node, availability_zone=state.dest_zone, flavor=state.new_flavor,
            vifs=state.vifs, auto_disk_config=state.auto_disk_config,
        )

    def failed(self, session: Session, job: Job[ResizeState]) -> None:
        state = job.state
        server_migrations.update(session, state.migration_uuid, "error", now=job.world.clock.now())
        row = common.fail(
            session, job, event="conductor_migrate_server", vm_state=VmState(state.departure.vm_state), message=explained(job),
        )
        outcome = job.outcome
        if outcome is not None and outcome.host == state.source_host and outcome.power_state is not None:
            row.power_state = outcome.power_state
        if state.unsettled:
            row.epoch += 1                       # what the source was ordered and never did is refused there from now on

    def notification_extra(self, job: Job[ResizeState]) -> dict[str, object]:
        return {"new_flavor": job.state.new_flavor}

    def fenced(self, job: Job[ResizeState]) -> None:
        # Whoever took the server over may have bound its ports before this lease bound them elsewhere a moment later.
        if job.step.name not in (Bind.name, Arrive.name):
            return
        with job.cell.read() as session:
            gone = not instances.existing(session, [job.instance.uuid])
            now = None if gone else instances.get(session, job.instance.uuid)
        if now is not None and now.host is not None and now.task_state != TaskState.RESIZE_FINISH:
            job.world.networks.rebind(job.task.caller, now, host=now.host)


def ticket(job: Job[ResizeState]) -> Secret | None:
    """Answer what lets the destination fetch from the source; None where both are one host."""
    state = job.state
    if state.encrypted_ticket is None or state.dest_host == state.source_host:
        return None
    return job.world.vault.open(state.encrypted_ticket)


def resized(job: Job[ResizeState]) -> Instance:
    """Answer the server as it will be at its destination."""
    state = job.state
    return replace(
        job.instance, flavor=state.new_flavor, root_gb=state.new_flavor.root_gb, host=state.dest_host, node=state.dest_node,
        availability_zone=state.dest_zone, auto_disk_config=state.auto_disk_config, hardware=state.dest_hardware,
    )


def _local(job: Job[ResizeState]) -> tuple[BlockDevice, ...]:
    """Answer the server's disks which lie on its host."""
    with job.cell.read() as session:
        devices = block_devices.of_instance(session, job.instance.uuid)
    return tuple(device for device in devices if device.destination_type != "volume")


def explained(job: Job[ResizeState]) -> str:
    """Answer the fault's text: why, and after how many hosts."""
    failures, last = job.state.failures, job.failure or "The server could not be moved."
    text = last
    if len(failures) > 1 or (failures and failures[-1] != last):
        text = f"{last} ({len(failures)} host{'s' if len(failures) > 1 else ''} tried, last with: {failures[-1]})"
    if job.state.unsettled:
        text += " The server's host does not answer; start the server again when it does."
    return text
