"""novalike-conductor: what it serves and what it repeats."""

from __future__ import annotations

import functools
import logging
import uuid
from typing import Any

from novalike.conductor.actions import Actions
from novalike.conductor.desired_state import DesiredStateEndpoint
from novalike.conductor.engine import Engine
from novalike.conductor.reclaim import Reclaim
from novalike.conductor.reconcilers import Reconcilers
from novalike.conductor.reports import HostReportsEndpoint
from novalike.conductor.rescues import Rescues
from novalike.conductor.resize_confirm import ResizeConfirm
from novalike.conductor.server_ports import ServerPorts
from novalike.conductor.shelved import Shelved
from novalike.conductor.tasks.attach_interface import AttachInterfaceTask
from novalike.conductor.tasks.attach_volume import AttachVolumeTask
from novalike.conductor.tasks.build import BuildTask
from novalike.conductor.tasks.change_password import ChangePasswordTask
from novalike.conductor.tasks.confirm_resize import ConfirmResizeTask
from novalike.conductor.tasks.delete import DeleteTask
from novalike.conductor.tasks.detach_interface import DetachInterfaceTask
from novalike.conductor.tasks.detach_volume import DetachVolumeTask
from novalike.conductor.tasks.rebuild import RebuildTask
from novalike.conductor.tasks.rescue import RescueTask
from novalike.conductor.tasks.resize import ResizeTask
from novalike.conductor.tasks.revert_resize import RevertResizeTask
from novalike.conductor.tasks.shelve import ShelveOffloadTask, ShelveTask
from novalike.conductor.tasks.snapshot import BackupTask, SnapshotTask
from novalike.conductor.tasks.swap_volume import SwapVolumeTask
from novalike.conductor.tasks.unshelve import UnshelveHereTask, UnshelveTask
from novalike.conductor.usage_audit import UsageAudits
from novalike.conductor.world import World
from novalike.context import RequestContext
from novalike.db import debts, tasks
from novalike.db.engine import Database
from novalike.objects.tasks import Outcome
from novalike.periodic import Periodic
from novalike.rpc.conductor import Tasks
from novalike.workers import Workers

LOG = logging.getLogger(__name__)

KINDS = (
    BuildTask(), DeleteTask(), AttachInterfaceTask(), DetachInterfaceTask(), AttachVolumeTask(), DetachVolumeTask(), SwapVolumeTask(),
    ResizeTask(), ConfirmResizeTask(), RevertResizeTask(),
    RebuildTask(), RescueTask(), ChangePasswordTask(),
    SnapshotTask(), BackupTask(), ShelveTask(), ShelveOffloadTask(), UnshelveTask(), UnshelveHereTask(),
)
#: How many tasks may wait for a worker; the others wait in the database, where the sweep finds them.
BACKLOG = 200


def owner_name(host: str) -> str:
    """Answer a name for leases which no other conductor process has, also not this one after a restart."""
    return f"{host[:40]}:{uuid.uuid4().hex[:16]}"


class TasksEndpoint(Tasks):
    """Serves Tasks: hands everything to the workers at once, so that the queue never waits for a step."""

    def __init__(self, engine: Engine, cell: Database, workers: Workers) -> None:
        self._engine = engine
        self._cell = cell
        self._workers = workers

    def wake(self, ctxt: RequestContext, *, task_ids: list[str]) -> None:
        for task_id in task_ids[:self._room()]:
            self._workers.submit(functools.partial(self._advance, task_id))

    def _room(self) -> int:
        return max(0, BACKLOG - self._workers.pending)

    def _advance(self, task_id: str) -> None:
        self._engine.advance(self._cell, task_id)

    def report(self, ctxt: RequestContext, *, outcome: Outcome) -> None:
        if outcome.fence.operation_id.startswith(debts.PREFIX):
            # Stale: something newer reached the host since, which cleans up itself.
            if (outcome.error is None or outcome.stale) and self._cell.write(debts.pay, outcome.fence):
                LOG.info("host %s cleaned up what it owed for instance %s", outcome.host, outcome.fence.instance_uuid)
            return
        self._workers.submit(lambda: self._report(outcome))

    def _report(self, outcome: Outcome) -> None:
        if not self._engine.report(self._cell, outcome):
            LOG.debug("a report of task %s (sequence %d) is old", outcome.fence.operation_id, outcome.fence.sequence)

    def sweep(self) -> None:
        """Look for tasks whose time has come: lost doorbells, silent hosts, passed deadlines, dead conductors' leases."""
        room = self._room()
        for task_id in self._cell.fetch(tasks.due, limit=room) if room else ():
            self._workers.submit(functools.partial(self._advance, task_id))


class ConductorManager:
    """Lists the conductor's endpoints and periodic work."""

    binary = "novalike-conductor"
    topic = "conductor"

    def __init__(self, world: World, *, ring: Any = None) -> None:
        conf = world.conf
        self.workers = Workers("conductor", conf.conductor.workers)
        cell = next(iter(world.cells))           # one conductor serves one cell
        engine = Engine(world, KINDS)
        actions = Actions(world, cell)
        self.tasks = TasksEndpoint(engine, cell, self.workers)
        self.reports = HostReportsEndpoint(world, cell, actions)
        reclaim = Reclaim(world)
        resized = ResizeConfirm(world)
        reconcilers = Reconcilers(world, more=(reclaim.quota, resized.tidy, resized.reserved))
        self.endpoints = (self.tasks, self.reports, DesiredStateEndpoint(world.cells, world.clock))
        sweep = conf.conductor.sweep_interval
        self.periodics = (
            Periodic("tasks", sweep, self.tasks.sweep),
            Periodic("actions", sweep, actions.sweep, delay=sweep / 2),
            Periodic("heartbeats", conf.conductor.heartbeat_batch_interval, self.reports.flush),
            Periodic("debts", 10.0, self.reports.ask_for_debts, delay=5.0),
            Periodic("rescues", 60.0 if conf.rescue_timeout else 0, Rescues(world).end_overdue, delay=30.0),
            Periodic("resizes", min(60.0, conf.resize_confirm_window), resized.confirm, delay=10.0),
            Periodic("reclaim", min(60.0, conf.reclaim_instance_interval), reclaim.reclaim, delay=10.0),
            Periodic("shelved servers", conf.shelved_poll_interval, Shelved(world).offload, delay=60.0),
            Periodic("server ports", conf.heal_instance_info_cache_interval, ServerPorts(world, cell).look, delay=30.0),
            Periodic("usage audit", 60.0 if conf.instance_usage_audit else 0, UsageAudits(world).run, delay=30.0),
            Periodic("reconcilers", conf.conductor.reconcile_interval, reconcilers.run, delay=15.0),
        )

    def start(self) -> None:
        """Nothing to prepare: what another conductor left is found by the sweep."""

    def stop(self) -> None:
        """Finish the steps that run; tasks which wait belong to whoever looks at them next."""
        if not self.workers.stop(timeout=20):
            LOG.warning("some steps still run; their leases run out by themselves")
        self.reports.flush()
