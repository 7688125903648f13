"""What several tasks put into their orders to hosts."""

from __future__ import annotations

from typing import Any

from novalike.conductor.engine import Job
from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.tasks import Debt, DestroyOrder, Fence


def image_source(job: Job[Any], image_id: str) -> ImageSource | None:
    """Answer how the host fetches an image; None for no image. The ticket in it is made anew with each order."""
    if not image_id:
        return None
    return job.world.images.source(job.context, job.world.images.get(job.context, image_id))


def destroy_order(instance: Instance, fence: Fence, vifs: tuple[Vif, ...]) -> DestroyOrder:
    """Answer the order to remove an instance from a host.

    It leaves a tombstone of the epoch: no task builds twice on the same host within one epoch, so what comes later with it
    is a late message.
    """
    return DestroyOrder(fence=fence, instance_name=instance.name, vifs=vifs)


def debt_order(fence: Fence, debt: Debt) -> DestroyOrder:
    """Answer the order with which a host is asked to pay a debt."""
    return DestroyOrder(fence=fence, instance_name=debt.instance_name, vifs=debt.vifs)
