"""Moving servers away from this host, to it, and to another size on it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from novalike.compute.host import ComputeHost
from novalike.compute.orders import Work
from novalike.context import RequestContext
from novalike.exception import NotBuilt, NotFound
from novalike.objects.move_tasks import ArriveOrder, DropAsideOrder, FetchOrder, MoveOutOrder, PutBackOrder
from novalike.objects.states import PowerState
from novalike.objects.tasks import Fence, Outcome
from novalike.rpc.compute import Moves
from novalike.virt.driver import Movable, SpawnRequest

LOG = logging.getLogger(__name__)


class MovesEndpoint(Moves):
    """Takes orders and returns at once; their ends are reported by Tasks.report.

    After a crash nothing is done before the conductor sends an order again: every one finds what is half done.
    """

    def __init__(self, host: ComputeHost) -> None:
        self._host = host

    def move_out(self, ctxt: RequestContext, *, order: MoveOutOrder) -> None:
        self._accept(
            ctxt, order.fence, "move_out", lambda _work: self._move_out(order), order.deadline,
            hurry=lambda: self._cut(order.instance.uuid),
        )

    def fetch(self, ctxt: RequestContext, *, order: FetchOrder) -> None:
        self._accept(ctxt, order.fence, "fetch", lambda work: self._fetch(work, order), order.deadline)

    def arrive(self, ctxt: RequestContext, *, order: ArriveOrder) -> None:
        self._accept(ctxt, order.fence, "arrive", lambda _work: self._arrive(order), order.deadline)

    def put_back(self, ctxt: RequestContext, *, order: PutBackOrder) -> None:
        # No deadline: the conductor decides how long to wait, and a server half put back helps nobody.
        self._accept(ctxt, order.fence, "put_back", lambda _work: self._put_back(order), math.inf)

    def drop_aside(self, ctxt: RequestContext, *, order: DropAsideOrder) -> None:
        self._accept(ctxt, order.fence, "drop_aside", lambda _work: self._drop_aside(order), math.inf)

    def _accept(
        self, ctxt: RequestContext, fence: Fence, kind: str, run: Callable[[Work], Outcome], deadline: float,
        hurry: Callable[[], None] | None = None,
    ) -> None:
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=fence, kind=kind, run=run, workers=self._host.workers, deadline=deadline, hurry=hurry,
        ))

    @property
    def _driver(self) -> Movable:
        driver = self._host.driver
        if not isinstance(driver, Movable):
            raise NotBuilt("This hypervisor cannot resize or migrate servers.")
        return driver

    def _move_out(self, order: MoveOutOrder) -> Outcome:
        instance = order.instance
        offer = self._driver.move_out(
            instance, timeout=self._host.shutdown_timeout(instance), ticket=order.ticket, ticket_seconds=order.ticket_seconds,
            retry_interval=self._host.conf.compute.shutdown_retry_interval,
        )
        self._host.forget(instance.uuid)
        return Outcome(fence=order.fence, host=self._host.name, result={"offer": offer})

    def _fetch(self, work: Work, order: FetchOrder) -> Outcome:
        local = order.source_host == self._host.name
        request = SpawnRequest(instance=order.instance, vifs=(), block_devices=order.block_devices)
        self._driver.fetch(request, order.offer, ticket=order.ticket, local=local, go_on=work.go_on)
        work.go_on()
        return Outcome(fence=order.fence, host=self._host.name)

    def _arrive(self, order: ArriveOrder) -> Outcome:
        request = SpawnRequest(instance=order.instance, vifs=order.vifs, block_devices=order.block_devices)
        self._driver.arrive(request, power_on=order.power_on)
        return self._seen(order.fence)

    def _put_back(self, order: PutBackOrder) -> Outcome:
        request = SpawnRequest(instance=order.instance, vifs=order.vifs, block_devices=order.block_devices)
        self._driver.put_back(request, power_on=order.power_on)
        return self._seen(order.fence)

    def _drop_aside(self, order: DropAsideOrder) -> Outcome:
        self._driver.drop_aside(order.instance.uuid)
        return Outcome(fence=order.fence, host=self._host.name)

    def _seen(self, fence: Fence) -> Outcome:
        state = self._host.power_state(fence.instance_uuid)
        return Outcome(fence=fence, host=self._host.name, power_state=state or int(PowerState.SHUTDOWN))

    def _cut(self, instance_uuid: str) -> None:
        """End the wait of a graceful shutdown by pulling the plug: the server is deleted, or wanted back."""
        try:
            self._host.driver.power_off(instance_uuid, timeout=0)
        except NotFound:
            LOG.debug("Instance %s is gone already", instance_uuid)
