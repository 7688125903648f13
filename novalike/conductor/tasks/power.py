"""Starting and stopping a guest as a step of a durable task."""

from __future__ import annotations

from typing import Any

from novalike.conductor.steps import Job
from novalike.conductor.tasks.orders import disks
from novalike.objects.states import ACTIONS
from novalike.objects.tasks import ActionOrder, Fence
from novalike.rpc.compute import Lifecycle


def power_order(job: Job[Any], fence: Fence, action: str, **arguments: str) -> None:
    """Order the server's host to start or stop the guest, as a step of a task."""
    assert job.instance.host is not None
    order = ActionOrder(
        fence=fence, action=action, instance=job.instance, vifs=job.instance.network_info, block_devices=disks(job),
        deadline=ACTIONS[action].deadline, arguments=arguments,
    )
    job.world.compute(Lifecycle, job.instance.host).act(job.context, order=order)
