"""What compute hosts report: heartbeats (stored in batches), inventories, ended actions, power changes."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.orm import Session

from novalike.conductor.actions import Actions
from novalike.conductor.engine import RESEND
from novalike.conductor.tasks.orders import debt_order
from novalike.conductor.world import World
from novalike.context import RequestContext, service_context
from novalike.db import block_devices, debts, hosts, instance_actions, instances, tasks
from novalike.db.engine import Database
from novalike.exception import NotFound
from novalike.objects.block_device import BlockDevice
from novalike.objects.host import HostUsage, Inventory
from novalike.objects.instance import Instance
from novalike.objects.tasks import Caller, Fence, Heartbeat, Outcome, PowerChange
from novalike.rpc.compute import Build, Host
from novalike.rpc.conductor import HostReports
from novalike.volume import connections

LOG = logging.getLogger(__name__)
COMPUTE = "novalike-compute"


class HostReportsEndpoint(HostReports):
    """Serves HostReports. `flush` stores the heartbeats gathered since the last call; the manager calls it every second."""

    def __init__(self, world: World, cell: Database, actions: Actions) -> None:
        self._world = world
        self._cell = cell
        self._actions = actions
        self._lock = threading.Lock()
        self._seen: dict[str, set[str]] = {}     # binary -> hosts
        self._working: dict[tuple[str, int], Fence] = {}

    def register(self, ctxt: RequestContext, *, inventory: Inventory, binary: str) -> str:
        def store(session: Session) -> str:
            service = hosts.report_service(session, host=inventory.host, binary=binary, topic="compute")
            hosts.register_compute_node(session, inventory)
            tasks.resend(session, inventory.host)
            return service
        service = self._cell.write(store)
        self.ask_for_debts(inventory.host)
        LOG.info("compute host %s registered: %d VCPU, %d MiB, %d GiB", inventory.host, inventory.vcpus, inventory.memory_mb, inventory.local_gb)
        return service

    def inventory(self, ctxt: RequestContext, *, inventory: Inventory) -> None:
        self._cell.write(hosts.register_compute_node, inventory)

    def heartbeat(self, ctxt: RequestContext, *, heartbeat: Heartbeat) -> None:
        with self._lock:
            self._seen.setdefault(heartbeat.binary, set()).add(heartbeat.host)
            for fence in heartbeat.running:
                self._working[fence.operation_id, fence.sequence] = fence

    def flush(self) -> None:
        """Store what heartbeats said since the last time: one UPDATE per kind of daemon, however many hosts there are."""
        with self._lock:
            seen, self._seen = self._seen, {}
            working, self._working = list(self._working.values()), {}
        if not seen:
            return

        def store(session: Session) -> list[str]:
            unknown: list[str] = []
            for binary, names in seen.items():
                unknown += sorted(hosts.heartbeat(session, names, binary))
            tasks.working(session, working, resend=RESEND)
            instance_actions.postpone(session, working)
            debts.working(session, working)
            return unknown
        for host in self._cell.write(store):
            LOG.info("host %s sends heartbeats but is not registered: asking it to", host)
            self._world.compute(Host, host).refresh(service_context())

    def usage(self, ctxt: RequestContext, *, host: str, node: str, usage: HostUsage) -> None:
        self._cell.write(hosts.report_usage, host, node, usage)

    def action_done(self, ctxt: RequestContext, *, outcome: Outcome) -> None:
        if not self._actions.finish(outcome):
            LOG.info("an outcome of instance %s came too late: %s", outcome.fence.instance_uuid, outcome.error or "success")

    def power_changed(self, ctxt: RequestContext, *, changes: list[PowerChange]) -> None:
        for change in changes:
            self._actions.follow_power(ctxt, change)

    def instances_on(self, ctxt: RequestContext, *, host: str) -> list[Instance]:
        return self._cell.fetch(instances.on_host, host)

    def block_devices(self, ctxt: RequestContext, *, host: str, instance_uuid: str) -> list[BlockDevice]:
        with self._cell.read() as session:
            try:
                instance = instances.get(session, instance_uuid)
            except NotFound:
                return []
            devices = block_devices.of_instance(session, instance_uuid) if instance.host == host else ()
        caller = Caller(user_id=instance.user_id, project_id=instance.project_id, request_id=ctxt.request_id)
        return list(connections.complete(self._world.volumes, caller, devices))

    def known(self, ctxt: RequestContext, *, instance_uuids: list[str]) -> list[str]:
        return sorted(self._cell.fetch(instances.existing, instance_uuids))

    def ask_for_debts(self, host: str | None = None) -> None:
        """Order the cleanup that hosts owe: one host's when it has just come back, else those whose time has come."""
        due = self._cell.write(debts.due, host=host)
        if not due:
            return
        services = self._cell.fetch(
            hosts.list_services, down_after=self._world.conf.service_down_time, binary=COMPUTE,
            hosts={debt.host for _, debt in due},
        )
        up = {service.host for service in services if service.up}
        for fence, debt in due:
            if debt.host in up:
                self._world.compute(Build, debt.host).destroy(service_context(), order=debt_order(fence, debt))
