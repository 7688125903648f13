"""Bringing a server onto a host: place / release, allocate / free, spawn / destroy. Building and unshelving share these."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Retry, Step, Wait, changed, without
from novalike.conductor.tasks.await_ports import awaited
from novalike.conductor.tasks.common import HostStep
from novalike.conductor.tasks.orders import destroy_order, image_source
from novalike.db import action_log, claims, debts, hosts, instances
from novalike.exception import BuildFailed
from novalike.objects.request_spec import RequestSpec
from novalike.objects.states import ACTIONS
from novalike.objects.tasks import ActionOrder, BuildOrder, BuildState, Debt, Fence, Outcome
from novalike.rpc.compute import Build, Lifecycle

S = TypeVar("S", bound=BuildState)

#: Seconds for which the host's own report of a passed deadline is waited for.
MARGIN = 15


class Place(Step[S]):
    """Choose a host and claim it; the scheduler does both."""

    name = "place"

    def wait_deadline(self, job: Job[S]) -> int:
        return int(job.world.conf.conductor.allocate_timeout)

    def zone(self, job: Job[S]) -> str | None:
        """Answer the availability zone to stay in, if any."""
        return job.instance.requested_zone

    def run(self, job: Job[S]) -> Done:
        instance, state = job.instance, job.state
        placement = job.world.scheduler.select_host(job.context, spec=RequestSpec(
            instance_uuid=instance.uuid, project_id=instance.project_id, user_id=instance.user_id, flavor=instance.flavor,
            epoch=job.task.epoch, image_ref=instance.image_ref, image_properties=instance.image_properties,
            image_min_ram=state.image_min_ram, availability_zone=self.zone(job), hints=instance.scheduler_hints,
            forced_host=state.forced_host, forced_node=state.forced_node, requested_host=state.requested_host,
            requested_node=state.requested_node, excluded_hosts=state.excluded_hosts, server_group=instance.server_group,
        ))
        job.state = changed(state, host=placement.host, node=placement.node, hardware=placement.hardware)
        return Done()

    def undo(self, job: Job[S]) -> Done:
        job.cell.write(claims.release, job.instance.uuid, epoch=job.task.epoch, clear_host=True)
        job.state = changed(job.state, host=None, node=None, hardware=None)
        return Done()


class Spawn(Step[S]):
    """Have the host build it. A host which was ordered to is dirty until it says that it cleaned up after itself."""

    name = "spawn"
    undo_on_retry = True
    logged = False                               # with each failed attempt counted, see undo
    #: The event in the action log of an attempt.
    event: str

    def wait_deadline(self, job: Job[S]) -> int:
        return int(job.world.conf.conductor.build_timeout) + MARGIN

    def run(self, job: Job[S]) -> Wait:
        state = job.state
        assert state.host is not None
        job.state = changed(
            state, dirty_hosts=(*without(state.dirty_hosts, state.host), state.host), paused=awaited(job, state.vifs), spawned=None, looks=0,
        )
        return Wait(state.host)

    def store(self, session: Session, job: Job[S]) -> None:
        instances.spawning(session, job.instance.uuid, job.state.vifs)

    def send(self, job: Job[S], fence: Fence) -> None:
        assert job.state.host is not None
        job.world.compute(Build, job.state.host).build(job.context, order=self.order(job, fence))

    def order(self, job: Job[S], fence: Fence) -> BuildOrder:
        """Answer the order to the host."""
        instance, state, vault = job.instance, job.state, job.world.vault
        return BuildOrder(
            fence=fence, instance=replace(instance, hardware=state.hardware), vifs=state.vifs, block_devices=state.block_devices,
            image=image_source(job, instance.image_ref), kernel=image_source(job, instance.kernel_id),
            ramdisk=image_source(job, instance.ramdisk_id), files=state.files, paused=state.paused, deadline=self.wait_deadline(job) - MARGIN,
            admin_password=vault.open(state.encrypted_password) if state.encrypted_password else None,
        )

    def ended(self, job: Job[S], outcome: Outcome) -> Done | Retry:
        if outcome.error is None and not outcome.stale:
            if job.state.paused or any(vif.plugging for vif in job.state.vifs):
                job.state = changed(job.state, spawned=outcome)
            return Done()
        if not outcome.stale and not outcome.dirty:
            job.state = changed(job.state, dirty_hosts=without(job.state.dirty_hosts, outcome.host))
        error = outcome.error or "The host refused an order which it took for an old one."
        return self.elsewhere(job, error, details=outcome.details, retry=outcome.retry)

    def overdue(self, job: Job[S]) -> Retry:
        return self.elsewhere(job, f"The host did not build the server within {self.wait_deadline(job)} seconds.")

    @staticmethod
    def elsewhere(job: Job[S], error: str, *, details: str = "", retry: bool = True) -> Retry:
        """Give up this host for another one. Raises BuildFailed when there is no other way."""
        state = job.state
        job.state = changed(
            state, attempts=state.attempts + 1, failures=(*state.failures, error),
            excluded_hosts=(*state.excluded_hosts, state.host) if state.host else state.excluded_hosts,
        )
        if not retry or job.state.attempts >= job.world.conf.scheduler.max_attempts or state.forced_host:
            raise BuildFailed(error, details=details)
        return Retry(error)

    def undo(self, job: Job[S]) -> Done | Wait:
        self._count_failure(job)
        return Wait(job.state.dirty_hosts[0]) if job.state.dirty_hosts else Done()

    def _count_failure(self, job: Job[S]) -> None:
        """The build failed on this host: weighers shall push it back. Counted once per attempt, as the retry begins."""
        state = job.state
        if state.host is None or state.host not in state.excluded_hosts[-1:]:
            return
        host, reason = state.host, state.failures[-1]
        now = job.world.clock.now()

        def count(session: Session) -> None:
            hosts.count_build_failure(session, host)
            action_log.finish(
                session, job.instance.uuid, job.task.caller.request_id, event=self.event, now=now, error=reason, host=host,
                failed=job.failure is not None,
            )
        job.cell.write(count)
        job.state = changed(state, host=None, node=None)

    def send_undo(self, job: Job[S], fence: Fence) -> None:
        host = job.task.waiting_host
        assert host is not None
        order = destroy_order(job.instance, fence, job.state.vifs)
        job.world.compute(Build, host).destroy(job.context, order=order)

    def undo_ended(self, job: Job[S], outcome: Outcome) -> None:
        job.state = changed(job.state, dirty_hosts=without(job.state.dirty_hosts, outcome.host))

    def undo_overdue(self, job: Job[S]) -> None:
        now = job.world.clock.now()
        for host in job.state.dirty_hosts:
            job.cell.write(debts.owe, Debt(
                host=host, instance_uuid=job.instance.uuid, epoch=job.task.epoch, instance_name=job.instance.name,
                vifs=job.state.vifs,
            ), now=now)
        job.state = changed(job.state, dirty_hosts=())


class Resume(HostStep[S]):
    """Let the guest run, whose ports are plugged now."""

    name = "resume"
    logged = False                               # a part of what Spawn began
    deadline = ACTIONS["unpause"].deadline + MARGIN

    def needed(self, job: Job[S]) -> bool:
        return job.state.paused

    def host(self, job: Job[S]) -> str:
        assert job.state.spawned is not None
        return job.state.spawned.host

    def send(self, job: Job[S], fence: Fence) -> None:
        # No disks: a guest which only goes on is not made anew.
        order = ActionOrder(
            fence=fence, action="unpause", instance=job.instance, vifs=job.state.vifs, deadline=self.wait_deadline(job) - MARGIN,
        )
        job.world.compute(Lifecycle, self.host(job)).act(job.context, order=order)


def explained(job: Job[S], nothing: str) -> str:
    """Answer the fault's text: the last failure (`nothing` when none is known), and how many hosts were tried before it."""
    failures = job.state.failures
    last = job.failure or nothing
    if not failures or (len(failures) == 1 and failures[0] == last):
        return last
    tried = f"{len(failures)} host{'s' if len(failures) > 1 else ''}"
    if failures[-1] == last:
        return f"The build failed on {tried}, last with: {last}"
    return f"The build failed on {tried} ({failures[-1]}), then: {last}"
