"""Block devices with what a host needs to reach them: the one place which adds connections before an order is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from novalike.objects.block_device import BlockDevice
from novalike.objects.tasks import Caller
from novalike.volume.client import VolumeClient


def complete(
    volumes: VolumeClient, caller: Caller, devices: Iterable[BlockDevice], *, connector: Mapping[str, str] | None = None,
) -> tuple[BlockDevice, ...]:
    """Answer devices for an order, volumes with their connections. Raises Unavailable, NotFound.

    Volumes which no guest shall have now (one is being attached or detached) are left out. With `connector` the volumes
    are first connected to that host, and in use from then on: for servers which move, or come back from none.
    """
    found: list[BlockDevice] = []
    for device in devices:
        if device.destination_type != "volume":
            found.append(device)
        elif device.plugged and device.attachment_id is not None:
            if connector is None:
                connection = volumes.connection(caller, device.attachment_id)
            else:
                connection = volumes.connect(caller, device.attachment_id, connector, device=device.device_name)
                volumes.complete(caller, device.attachment_id)
            found.append(replace(device, connection=connection))
    return tuple(found)
