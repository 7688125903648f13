"""Changing passwords in guests of this host."""

from __future__ import annotations

from novalike.compute.host import ComputeHost
from novalike.compute.orders import Work
from novalike.context import RequestContext
from novalike.exception import NotBuilt
from novalike.objects.password import PasswordOrder
from novalike.objects.tasks import Outcome
from novalike.rpc.compute import GuestPasswords
from novalike.virt.driver import PasswordSetter


class PasswordEndpoint(GuestPasswords):
    """Takes orders and returns at once; their ends are reported by Tasks.report."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host

    def set_password(self, ctxt: RequestContext, *, order: PasswordOrder) -> None:
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind="change_password", run=lambda _work: self._set(order), workers=self._host.workers,
            deadline=order.deadline,
        ))

    def _set(self, order: PasswordOrder) -> Outcome:
        driver = self._host.driver
        if not isinstance(driver, PasswordSetter):
            raise NotBuilt("This hypervisor cannot change passwords in guests.")
        driver.set_password(order.instance.uuid, order.user, order.password)
        return Outcome(fence=order.fence, host=self._host.name, power_state=self._host.power_state(order.instance.uuid))
