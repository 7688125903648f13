"""Booting servers of this host from rescue images."""

from __future__ import annotations

from novalike.compute.host import ComputeHost
from novalike.compute.orders import Work
from novalike.context import RequestContext
from novalike.exception import BuildFailed, NotBuilt
from novalike.objects.rescue import RescueOrder
from novalike.objects.tasks import Outcome
from novalike.rpc.compute import Rescue
from novalike.virt.driver import Rescuer, RescueRequest, SpawnRequest

KIND = "rescue"


class RescueEndpoint(Rescue):
    """Takes orders and returns at once; their ends are reported by Tasks.report."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host
        self._limit: int = host.conf.compute.interrupted_limit

    def rescue(self, ctxt: RequestContext, *, order: RescueOrder) -> None:
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind=KIND, run=lambda work: self._rescue(work, order), workers=self._host.builders,
            deadline=order.deadline, hurry=lambda: self._host.cut_power(order.instance.uuid),
        ))

    def abandon(self, ctxt: RequestContext, *, order: RescueOrder) -> None:
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind=KIND, run=lambda _work: self._abandon(order), workers=self._host.workers,
            deadline=order.deadline,
        ))

    def _driver(self) -> Rescuer:
        driver = self._host.driver
        if not isinstance(driver, Rescuer):
            raise NotBuilt("This hypervisor cannot rescue servers.")
        return driver

    def _rescue(self, work: Work, order: RescueOrder) -> Outcome:
        host, driver = self._host, self._driver()
        if work.interruptions >= self._limit:
            raise BuildFailed(f"The host failed {work.interruptions} times while it rescued the server.")
        if order.image is None:
            raise BuildFailed("There is no image to rescue the server with.", retry=False)
        request = RescueRequest(
            guest=_guest(order), attempt=order.attempt, image=host.signed(order.image), kernel=host.signed(order.kernel),
            ramdisk=host.signed(order.ramdisk), properties=order.properties, admin_password=order.admin_password,
        )
        if not driver.prepare_rescue(request):
            work.go_on()
            host.driver.power_off(
                order.instance.uuid, timeout=host.shutdown_timeout(order.instance),
                retry_interval=host.conf.compute.shutdown_retry_interval,
            )
            work.go_on()
            driver.rescue(request)
        return Outcome(fence=order.fence, host=host.name, power_state=host.power_state(order.instance.uuid))

    def _abandon(self, order: RescueOrder) -> Outcome:
        self._driver().unrescue(_guest(order), start=order.start)
        return Outcome(fence=order.fence, host=self._host.name, power_state=self._host.power_state(order.instance.uuid))


def _guest(order: RescueOrder) -> SpawnRequest:
    return SpawnRequest(instance=order.instance, vifs=order.vifs, block_devices=order.block_devices)
