"""Building servers on this host, and removing them from it."""

from __future__ import annotations

import logging
import math
from contextlib import ExitStack

from novalike.compute.host import ComputeHost
from novalike.compute.orders import Work
from novalike.context import RequestContext
from novalike.exception import BuildFailed
from novalike.objects.states import PowerState
from novalike.objects.tasks import BuildOrder, DestroyOrder, Outcome
from novalike.rpc import serializer
from novalike.rpc.compute import Build
from novalike.virt.driver import SpawnRequest

LOG = logging.getLogger(__name__)


class BuildEndpoint(Build):
    """Takes orders and returns at once; their ends are reported by Tasks.report."""

    def __init__(self, host: ComputeHost) -> None:
        self._host = host
        self._limit: int = host.conf.compute.interrupted_limit
        self._patience: float = host.conf.instance_build_timeout or math.inf

    def build(self, ctxt: RequestContext, *, order: BuildOrder) -> None:
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind="build", run=lambda work: self._build(work, order),
            workers=self._host.builders, deadline=min(order.deadline, self._patience), document=document(remains(order)),
        ))

    def destroy(self, ctxt: RequestContext, *, order: DestroyOrder) -> None:
        # No deadline: while it runs, heartbeats say so, and the conductor decides how long to wait.
        self._host.orders.accept(Work(
            ctxt=ctxt, fence=order.fence, kind="destroy", run=lambda _work: self._destroy(order),
            workers=self._host.workers, deadline=math.inf, document=document(order), tombstone=order.tombstone,
        ))

    def _build(self, work: Work, order: BuildOrder) -> Outcome:
        if work.interruptions >= self._limit:
            raise BuildFailed(f"The host failed {work.interruptions} times while it built the server.")
        with ExitStack() as undo:
            undo.callback(self._clean, work, remains(order))
            signed = self._host.signed
            root_device = self._host.driver.spawn(SpawnRequest(
                instance=order.instance, vifs=order.vifs, block_devices=order.block_devices, image=signed(order.image),
                kernel=signed(order.kernel), ramdisk=signed(order.ramdisk), admin_password=order.admin_password, files=order.files, paused=order.paused,
            ))
            work.go_on()
            undo.pop_all()
        return Outcome(
            fence=order.fence, host=self._host.name, root_device_name=root_device,
            power_state=int(PowerState.PAUSED if order.paused else PowerState.RUNNING),
        )

    def _destroy(self, order: DestroyOrder) -> Outcome:
        uuid = order.fence.instance_uuid
        self._host.driver.destroy(uuid, order.instance_name, order.vifs)
        self._host.forget(uuid)
        return Outcome(fence=order.fence, host=self._host.name)

    def _clean(self, work: Work, order: DestroyOrder) -> None:
        """Remove what a failed build left. Failing at that must not hide why the build failed: the outcome says that the
        host is dirty, and the conductor's own order to destroy follows.
        """
        try:
            self._host.driver.destroy(order.fence.instance_uuid, order.instance_name, order.vifs)
        except Exception:
            work.dirty = True
            LOG.exception("Pieces of instance %s, which failed to build, may remain", order.fence.instance_uuid)


def remains(order: BuildOrder) -> DestroyOrder:
    """Answer the order which removes what a build makes. It holds no secrets, unlike the build's own."""
    return DestroyOrder(fence=order.fence, instance_name=order.instance.name, vifs=order.vifs, tombstone=False)


def document(order: DestroyOrder) -> dict[str, object]:
    """Answer an order as the ledger keeps it."""
    answer: dict[str, object] = serializer.dump(DestroyOrder, order)
    return answer
