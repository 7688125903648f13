"""Giving servers of this host new disks, phase by phase."""

from __future__ import annotations

from collections.abc import Callable

from novalike.compute.host import ComputeHost
from novalike.compute.orders import Work
from novalike.context import RequestContext
from novalike.exception import BuildFailed, NotBuilt, NotFound
from novalike.objects.rebuild import RebuildOrder
from novalike.objects.states import PowerState
from novalike.objects.tasks import Outcome
from novalike.rpc.compute import Rebuild
from novalike.virt.driver import Rebuilder, SpawnRequest

KIND = "rebuild"


class RebuildEndpoint(Rebuild):
    """Takes orders and returns at once; their ends are reported by Tasks.report."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host
        self._limit: int = host.conf.compute.interrupted_limit

    def prepare(self, ctxt: RequestContext, *, order: RebuildOrder) -> None:
        self._accept(ctxt, order, self._prepare)

    def replace(self, ctxt: RequestContext, *, order: RebuildOrder) -> None:
        self._accept(ctxt, order, self._replace, hurry=lambda: self._host.cut_power(order.instance.uuid))

    def spawn(self, ctxt: RequestContext, *, order: RebuildOrder) -> None:
        self._accept(ctxt, order, self._spawn)

    def abandon(self, ctxt: RequestContext, *, order: RebuildOrder) -> None:
        self._accept(ctxt, order, self._abandon)

    def _accept(
        self, ctxt: RequestContext, order: RebuildOrder, phase: Callable[[Work, RebuildOrder], Outcome], *,
        hurry: Callable[[], None] | None = None,
    ) -> None:
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind=KIND, run=lambda work: phase(work, order), workers=self._host.builders,
            deadline=order.deadline, hurry=hurry,
        ))

    def _driver(self) -> Rebuilder:
        driver = self._host.driver
        if not isinstance(driver, Rebuilder):
            raise NotBuilt("This hypervisor cannot rebuild servers.")
        return driver

    def _prepare(self, work: Work, order: RebuildOrder) -> Outcome:
        if work.interruptions >= self._limit:
            raise BuildFailed(f"The host failed {work.interruptions} times while it rebuilt the server.")
        signed = self._host.signed
        self._driver().prepare_rebuild(
            SpawnRequest(
                instance=order.instance, vifs=order.vifs, block_devices=order.block_devices, image=signed(order.image),
                kernel=signed(order.kernel), ramdisk=signed(order.ramdisk), admin_password=order.admin_password, files=order.files,
            ),
            attempt=order.attempt, preserve_ephemeral=order.preserve_ephemeral,
        )
        return Outcome(fence=order.fence, host=self._host.name)

    def _replace(self, work: Work, order: RebuildOrder) -> Outcome:
        host, uuid = self._host, order.instance.uuid
        driver = self._driver()
        # Gone already when this order was done before: its definition goes with the old disks.
        if host.driver.power_state(uuid) != PowerState.NOSTATE:
            host.driver.power_off(
                uuid, timeout=host.shutdown_timeout(order.instance), retry_interval=host.conf.compute.shutdown_retry_interval,
            )
        work.go_on()
        driver.replace_disks(uuid, attempt=order.attempt)
        return Outcome(fence=order.fence, host=host.name, power_state=int(PowerState.SHUTDOWN))

    def _spawn(self, _work: Work, order: RebuildOrder) -> Outcome:
        root_device = self._driver().start_rebuilt(self._request(order), start=order.start)
        return Outcome(
            fence=order.fence, host=self._host.name, power_state=self._host.power_state(order.instance.uuid),
            root_device_name=root_device,
        )

    def _abandon(self, _work: Work, order: RebuildOrder) -> Outcome:
        uuid = order.instance.uuid
        untouched = self._driver().abandon_rebuild(uuid, attempt=order.attempt)
        if untouched and order.start:
            try:
                self._host.driver.power_on(self._request(order))
            except NotFound:                     # there was no guest to begin with
                untouched = False
        return Outcome(fence=order.fence, host=self._host.name, power_state=self._host.power_state(uuid), dirty=not untouched)

    @staticmethod
    def _request(order: RebuildOrder) -> SpawnRequest:
        return SpawnRequest(instance=order.instance, vifs=order.vifs, block_devices=order.block_devices)
