"""Single-host actions on servers of this host: power, pausing, suspending."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from novalike.compute.host import ComputeHost
from novalike.compute.orders import Work
from novalike.context import RequestContext
from novalike.exception import NotBuilt, NovalikeError
from novalike.objects.tasks import ActionOrder, Outcome
from novalike.rpc.compute import Lifecycle
from novalike.virt.driver import CrashDumps, Rescuer, SpawnRequest, Suspending

#: Actions which wait for the guest, and are cut short when the server is deleted meanwhile.
PATIENT = frozenset({"stop", "reboot_soft", "soft_delete", "suspend"})
#: Actions which are not done again when the daemon died at them: a guest would see them twice.
ONCE = frozenset({"trigger_crash_dump"})
FALSE = frozenset({"false", "no", "0"})


class LifecycleEndpoint(Lifecycle):
    """Takes actions and returns at once; their ends are reported by HostReports.action_done."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host
        self._actions: Mapping[str, Callable[[ActionOrder], None]] = {
            "start": self._start,
            "stop": self._stop,
            "reboot_soft": lambda order: self._reboot(order, hard=False),
            "reboot_hard": lambda order: self._reboot(order, hard=True),
            "pause": lambda order: self._suspending().pause(order.instance.uuid),
            "unpause": lambda order: self._suspending().unpause(order.instance.uuid),
            "suspend": lambda order: self._suspending().suspend(order.instance.uuid),
            "resume": lambda order: self._suspending().resume(request(order)),
            "unrescue": self._unrescue,
            "trigger_crash_dump": self._crash,
            "soft_delete": self._stop,
            "restore": self._start,
        }

    def act(self, ctxt: RequestContext, *, order: ActionOrder) -> None:
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind=order.action, run=lambda work: self._run(work, order), workers=self._host.workers,
            deadline=order.deadline, document={"arguments": order.arguments},
            hurry=(lambda: self._host.cut_power(order.instance.uuid)) if order.action in PATIENT else None,
        ))

    def _run(self, work: Work, order: ActionOrder) -> Outcome:
        if work.interruptions and order.action in ONCE:
            raise NovalikeError("The host's daemon ended while it did this; it may have been done.")
        action = self._actions.get(order.action)
        if action is None:
            raise NotBuilt(f"This host does not know the action {order.action!r}.")
        action(order)
        return Outcome(fence=order.fence, host=self._host.name, power_state=self._host.power_state(order.instance.uuid))

    def _start(self, order: ActionOrder) -> None:
        self._host.driver.power_on(request(order))

    def _stop(self, order: ActionOrder) -> None:
        clean = order.arguments.get("clean_shutdown", "true").lower() not in FALSE
        self._host.driver.power_off(
            order.instance.uuid, timeout=self._host.shutdown_timeout(order.instance) if clean else 0,
            retry_interval=self._host.conf.compute.shutdown_retry_interval,
        )

    def _reboot(self, order: ActionOrder, *, hard: bool) -> None:
        self._host.driver.reboot(request(order), hard=hard, timeout=self._host.conf.libvirt.wait_soft_reboot_seconds)

    def _suspending(self) -> Suspending:
        driver = self._host.driver
        if not isinstance(driver, Suspending):
            raise NotBuilt("This hypervisor cannot pause or suspend servers.")
        return driver

    def _unrescue(self, order: ActionOrder) -> None:
        driver = self._host.driver
        if not isinstance(driver, Rescuer):
            raise NotBuilt("This hypervisor cannot rescue servers.")
        driver.unrescue(request(order), start=True)

    def _crash(self, order: ActionOrder) -> None:
        driver = self._host.driver
        if not isinstance(driver, CrashDumps):
            raise NotBuilt("This hypervisor cannot make servers dump their memory.")
        driver.inject_nmi(order.instance.uuid)


def request(order: ActionOrder) -> SpawnRequest:
    """Answer what a driver makes the guest's definition anew from."""
    return SpawnRequest(instance=order.instance, vifs=order.vifs, block_devices=order.block_devices)
