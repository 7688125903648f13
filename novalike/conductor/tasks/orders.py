"""What several tasks put into their orders to hosts."""

from __future__ import annotations

from typing import Any

from novalike.conductor.steps import Job
from novalike.db import block_devices, hosts
from novalike.exception import NovalikeError
from novalike.objects.block_device import BlockDevice
from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.tasks import Debt, DestroyOrder, Fence
from novalike.volume import connections


def image_source(job: Job[Any], image_id: str) -> ImageSource | None:
    """Answer how the host fetches an image; None for no image. The ticket in it is made anew with each order."""
    if not image_id:
        return None
    return job.world.images.source(job.context, job.world.images.get(job.context, image_id))


def require_images(job: Job[Any], *image_ids: str) -> None:
    """Raise NotFound when one of the images (empty ids are none) is gone: an order with it could never be sent."""
    for image_id in filter(None, image_ids):
        job.world.images.get(job.context, image_id)


def disks(job: Job[Any], *, moved_to: str | None = None) -> tuple[BlockDevice, ...]:
    """Answer the server's block devices for an order, volumes with their connections; nothing of it may be saved.

    `moved_to` names the host of an order which makes the server elsewhere than where it was: its volumes are connected to
    that one. Raises Unavailable, NotFound.
    """
    with job.cell.read() as session:
        devices = block_devices.of_instance(session, job.instance.uuid)
    if all(device.destination_type != "volume" for device in devices):
        return devices
    return connections.complete(
        job.world.volumes, job.task.caller, devices, connector=connector(job, moved_to) if moved_to is not None else None,
    )


def connector(job: Job[Any], host: str) -> dict[str, str]:
    """Answer how a host introduces itself to volume services, as its inventory says."""
    with job.cell.read() as session:
        nodes = hosts.list_compute_nodes(session, down_after=job.world.conf.service_down_time, host=host, limit=1)
    if not nodes:
        raise NovalikeError(f"The host {host} is not known.")
    return {"host": host, **nodes[0].inventory.connector}


def destroy_order(instance: Instance, fence: Fence, vifs: tuple[Vif, ...]) -> DestroyOrder:
    """Answer the order to remove an instance from a host.

    It leaves a tombstone of the epoch: no task builds twice on the same host within one epoch, so what comes later with it
    is a late message.
    """
    return DestroyOrder(fence=fence, instance_name=instance.name, vifs=vifs)


def debt_order(fence: Fence, debt: Debt) -> DestroyOrder:
    """Answer the order with which a host is asked to pay a debt."""
    return DestroyOrder(fence=fence, instance_name=debt.instance_name, vifs=debt.vifs)
