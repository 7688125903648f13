"""What each thing means which a daemon that died left behind. Guests run on meanwhile and are not disturbed.

What the ledger says was running:

| order | at start | the server's task_state |
| --- | --- | --- |
| build | remove the half-made guest; the conductor sends it again, and it is built here | spawning |
| destroy | finish it | deleting and others |
| single-host actions | do them again once the conductor said that they are still wanted; all of them find what was done | powering-on, powering-off, rebooting*, pausing, unpausing, suspending, resuming, unrescuing, soft-deleting, restoring |
| trigger_crash_dump | not done again: reported as failed | - |
| snapshot_copy | end the mirror of the disk and let the guest's file systems go on; then as below | image_snapshot, image_backup, shelving* |
| steps of other durable tasks | nothing: the conductor sends them again as soon as this host has registered; each finds and finishes what it left | image_*, rebuild*, resize_*, rescuing, shelving*, updating_password |

A server which only the control plane worked on when this daemon died is no concern of it: tasks go on by themselves. What is
left on disk of a task which was given up meanwhile is ordered away by its undo, or is the host's debt.

Nova puts a server whose build or rebuild was interrupted into ERROR; here the order goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from novalike.compute.build import BuildEndpoint
from novalike.compute.host import ComputeHost
from novalike.compute.ledger import Interrupted
from novalike.compute.lifecycle import LifecycleEndpoint
from novalike.compute.snapshots import COPY
from novalike.context import service_context
from novalike.exception import NovalikeError
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.states import ACTIONS, PowerState, VmState
from novalike.objects.tasks import ActionOrder, DestroyOrder
from novalike.rpc import serializer
from novalike.virt.driver import Copier, SpawnRequest

LOG = logging.getLogger(__name__)


class Recovery:
    """Run once per start: `alone` before anything else, `with_conductor` when one answered."""

    def __init__(self, host: ComputeHost, build: BuildEndpoint, lifecycle: LifecycleEndpoint) -> None:
        self._host = host
        self._build = build
        self._lifecycle = lifecycle

    def alone(self) -> None:
        """Do what needs nobody: clean interrupted builds, finish interrupted removals. Returns before they are done."""
        for left in self._host.ledger.interrupted():
            if left.kind == "destroy":
                LOG.info("Finishing the interrupted removal of instance %s", left.fence.instance_uuid)
                self._build.destroy(service_context(), order=serializer.load(DestroyOrder, left.document))
            elif left.kind == "build":
                self._clean(left)
            elif left.kind == COPY:
                self._let_go(left)

    def with_conductor(self, instances: list[Instance]) -> None:
        """Take up interrupted actions which are still wanted, and start guests which should run if so configured."""
        here = {instance.uuid: instance for instance in instances}
        for left in self._host.ledger.interrupted():
            if left.kind in ACTIONS:
                self._take_up(left, here.get(left.fence.instance_uuid))
        for instance in instances:
            if self._should_run(instance):
                LOG.info("Instance %s ran before the host stopped; starting it again", instance.uuid)
                self._host.orders.alone(instance.uuid, self._host.workers, self._starter(instance))

    def _clean(self, left: Interrupted) -> None:
        """Remove a half-made guest, unless something newer happened to its instance."""
        if not self._host.ledger.is_current(left.fence, left.kind):
            return
        order = serializer.load(DestroyOrder, left.document)
        LOG.info("Cleaning up after the interrupted build of instance %s", left.fence.instance_uuid)
        self._host.orders.alone(
            left.fence.instance_uuid, self._host.workers,
            lambda: self._host.driver.destroy(left.fence.instance_uuid, order.instance_name, order.vifs),
        )

    def _let_go(self, left: Interrupted) -> None:
        """A guest whose disk was being copied must not stand still until the conductor asks for the copy again."""
        driver, uuid = self._host.driver, left.fence.instance_uuid
        if isinstance(driver, Copier):
            LOG.info("The copying of instance %s's disk was interrupted; letting its guest go on", uuid)
            self._host.orders.alone(uuid, self._host.workers, lambda: driver.end_copies(uuid))

    def _take_up(self, left: Interrupted, instance: Instance | None) -> None:
        if instance is None or instance.epoch != left.fence.epoch or instance.task_state != ACTIONS[left.kind].sets:
            LOG.info("The interrupted %s of instance %s is no longer wanted", left.kind, left.fence.instance_uuid)
            return
        try:
            disks = self._disks(instance)
        except NovalikeError as error:
            LOG.info("The interrupted %s of instance %s waits for the conductor: %s", left.kind, instance.uuid, error)
            return
        arguments = left.document.get("arguments")
        self._lifecycle.act(service_context(), order=ActionOrder(
            fence=left.fence, action=left.kind, instance=instance, vifs=instance.network_info, block_devices=disks,
            deadline=ACTIONS[left.kind].deadline, arguments=dict(arguments) if isinstance(arguments, dict) else {},
        ))

    def _should_run(self, instance: Instance) -> bool:
        return (
            self._host.conf.resume_guests_state_on_host_boot and instance.vm_state == VmState.ACTIVE
            and instance.task_state is None and instance.power_state == PowerState.RUNNING
            and self._host.power_state(instance.uuid) in {PowerState.SHUTDOWN, PowerState.CRASHED}
        )

    def _starter(self, instance: Instance) -> Callable[[], None]:
        return lambda: self._host.driver.power_on(SpawnRequest(
            instance=instance, vifs=instance.network_info, block_devices=self._disks(instance),
        ))

    def _disks(self, instance: Instance) -> tuple[BlockDevice, ...]:
        """Answer the server's block devices with their connections, which are kept nowhere here. Raises Unavailable."""
        return tuple(self._host.reports.block_devices(service_context(), host=self._host.name, instance_uuid=instance.uuid))
