"""Plugging ports and volumes into guests of this host, unplugging them, and looking at what guests do with them."""

from __future__ import annotations

from collections.abc import Callable

from novalike.compute.host import ComputeHost
from novalike.compute.orders import Work
from novalike.context import RequestContext
from novalike.exception import Conflict, NotBuilt
from novalike.objects.device_tasks import (
    ATTACH_INTERFACE,
    ATTACH_VOLUME,
    DETACH_INTERFACE,
    DETACH_VOLUME,
    SWAP_VOLUME,
    InterfaceOrder,
    VolumeOrder,
)
from novalike.objects.diagnostics import Diagnostics
from novalike.objects.instance import Instance
from novalike.objects.states import PowerState
from novalike.objects.tasks import Outcome
from novalike.rpc.compute import Devices
from novalike.virt.driver import Diagnosing, PluggableInterfaces, PluggableVolumes


class DevicesEndpoint(Devices):
    """Takes orders and returns at once; their ends are reported by Tasks.report. No power state is reported: none changes."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host

    def attach_interface(self, ctxt: RequestContext, *, order: InterfaceOrder) -> None:
        self._accept(ctxt, order, ATTACH_INTERFACE, lambda: self._interfaces().attach_interface(order.instance, order.vif))

    def detach_interface(self, ctxt: RequestContext, *, order: InterfaceOrder) -> None:
        self._accept(ctxt, order, DETACH_INTERFACE, lambda: self._interfaces().detach_interface(order.instance, order.vif))

    def attach_volume(self, ctxt: RequestContext, *, order: VolumeOrder) -> None:
        self._accept(ctxt, order, ATTACH_VOLUME, lambda: self._volumes().attach_volume(order.instance, order.device))

    def detach_volume(self, ctxt: RequestContext, *, order: VolumeOrder) -> None:
        self._accept(ctxt, order, DETACH_VOLUME, lambda: self._volumes().detach_volume(order.instance, order.device))

    def swap_volume(self, ctxt: RequestContext, *, order: VolumeOrder) -> None:
        replacement = order.replacement or order.device
        self._accept(ctxt, order, SWAP_VOLUME, lambda: self._volumes().swap_volume(order.instance, order.device, replacement))

    def diagnostics(self, ctxt: RequestContext, *, instance: Instance) -> Diagnostics:
        driver = self._host.driver
        if not isinstance(driver, Diagnosing):
            raise NotBuilt("Unable to get diagnostics, functionality not implemented")
        power = self._host.driver.power_state(instance.uuid)
        if power not in (PowerState.RUNNING, PowerState.PAUSED):
            raise Conflict(
                f"Cannot 'get_diagnostics' instance {instance.uuid} while it is in power state {PowerState(power).name.lower()}",
            )
        return driver.diagnostics(instance)

    def _accept(self, ctxt: RequestContext, order: InterfaceOrder | VolumeOrder, kind: str, change: Callable[[], None]) -> None:
        def run(work: Work) -> Outcome:
            change()
            return Outcome(fence=order.fence, host=self._host.name)
        # Nothing is kept of the order: it may hold a volume's connection, and the conductor sends it again.
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind=kind, run=run, workers=self._host.workers, deadline=order.deadline,
        ))

    def _interfaces(self) -> PluggableInterfaces:
        driver = self._host.driver
        if not isinstance(driver, PluggableInterfaces):
            raise NotBuilt("This hypervisor cannot plug ports into guests which run.")
        return driver

    def _volumes(self) -> PluggableVolumes:
        driver = self._host.driver
        if not isinstance(driver, PluggableVolumes):
            raise NotBuilt("This hypervisor cannot attach volumes.")
        return driver
