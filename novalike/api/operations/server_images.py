"""Making images of servers: what the image says of itself, and the tasks which fill it."""

from __future__ import annotations

import logging
import uuid as uuid_module
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from novalike.api.operations import durable, quotas
from novalike.api.operations.create import check_metadata_count
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import acceptance, block_devices
from novalike.db import quotas as quota_rows
from novalike.exception import Invalid, NotBuilt, NovalikeError, OverQuota
from novalike.objects.image import Image
from novalike.objects.instance import Instance
from novalike.objects.snapshot_tasks import BACKUP, SHELVED_KEYS, SNAPSHOT, SnapshotState
from novalike.objects.states import DURABLE

LOG = logging.getLogger(__name__)

NAME_LENGTH = 255
#: What the image service notes for itself in an image's properties; nobody inherits it.
_SERVICE_PREFIX = "os_glance_"
#: Remembered of the image a server was made of, and no property of images (operations/images.py remembered).
_BASE = "image_"


def check_metadata_quota(services: ApiServices, ctxt: RequestContext, metadata: Mapping[str, str]) -> None:
    """Raise OverQuota when an image may not have so many metadata items (until 2.38)."""
    with services.cells.shared.read() as session:
        limits = quota_rows.limits(session, ctxt.project_id or "", ctxt.user_id, quotas.defaults(services.conf.quota))
    try:
        check_metadata_count(len(metadata), limits)
    except OverQuota as error:
        raise OverQuota("Image metadata limit exceeded", overs=("metadata_items",)) from error


def snapshot(services: ApiServices, ctxt: RequestContext, instance: Instance, name: str, metadata: Mapping[str, str]) -> str:
    """Accept the making of an image; answer its id. Raises Conflict in Nova's words, NotBuilt, and what the image service refuses with."""
    acceptance.check(instance, DURABLE["snapshot"], pass_lock=ctxt.is_admin)
    if is_volume_backed(services, instance):
        raise NotBuilt("Images of servers which boot from a volume are not built yet.")
    with new_image(services, ctxt, instance, name, SNAPSHOT, metadata) as image:
        durable.accept(services, ctxt, instance, "snapshot", kind=SNAPSHOT, state=SnapshotState(image_id=image.id))
    return image.id


def backup(
    services: ApiServices, ctxt: RequestContext, instance: Instance, name: str, metadata: Mapping[str, str], *, backup_type: str,
    rotation: int,
) -> str:
    """Accept a backup, after which `rotation` of this type are kept; answer its image's id. Raises as `snapshot`, and Invalid."""
    acceptance.check(instance, DURABLE["backup"], pass_lock=ctxt.is_admin)
    if is_volume_backed(services, instance):
        raise Invalid("Backup is not supported for volume-backed instances.")
    with new_image(services, ctxt, instance, name, BACKUP, {**metadata, "backup_type": backup_type}) as image:
        durable.accept(services, ctxt, instance, "backup", kind=BACKUP, state=SnapshotState(
            image_id=image.id, backup_type=backup_type, rotation=rotation,
        ))
    return image.id


def is_volume_backed(services: ApiServices, instance: Instance) -> bool:
    """Answer whether the server's root disk is a volume."""
    with services.cells.of_instance(instance.uuid).read() as session:
        found = block_devices.of_instance(session, instance.uuid)
    return any(device.boot_index == 0 and device.destination_type == "volume" for device in found)


@contextmanager
def new_image(
    services: ApiServices, ctxt: RequestContext, instance: Instance, name: str, image_type: str, metadata: Mapping[str, str],
) -> Iterator[Image]:
    """Make the record of an image of a server, in the caller's project; it goes again when the operation is refused."""
    remembered = instance.system_metadata
    made = services.images.create(ctxt, Image(
        id=str(uuid_module.uuid4()), name=name[:NAME_LENGTH], status="queued", owner=ctxt.project_id, visibility="private",
        disk_format=remembered.get("image_disk_format") or "raw", container_format=remembered.get("image_container_format") or "bare",
        min_disk=instance.root_gb or _number(remembered.get("image_min_disk")), min_ram=_number(remembered.get("image_min_ram")),
        properties=_properties(services, instance, image_type, metadata, user_id=ctxt.user_id or ""),
    ))
    try:
        yield made
    except BaseException:
        try:
            services.images.delete(ctxt, made.id)
        except NovalikeError as error:
            LOG.warning("image %s, which nothing will fill, stays: %s %s", made.id, error, error.details)
        raise


def _properties(
    services: ApiServices, instance: Instance, image_type: str, metadata: Mapping[str, str], *, user_id: str,
) -> dict[str, str]:
    """Answer the image's properties: inherited ones, then what we say ourselves, of which the user may change what only describes."""
    left_out = set(services.conf.non_inheritable_image_properties)
    inherited = {
        name: value for name, value in instance.image_properties.items()
        if name not in left_out and not name.startswith(_SERVICE_PREFIX)
    }
    inherited |= {
        name: value for name, value in instance.system_metadata.items()
        if name not in left_out and name not in SHELVED_KEYS and not name.startswith(_BASE)
    }
    for name, value in (("kernel_id", instance.kernel_id), ("ramdisk_id", instance.ramdisk_id)):
        if value:
            inherited[name] = value
    ours = {
        "instance_uuid": instance.uuid, "user_id": user_id, "base_image_ref": instance.image_ref,
        "image_location": "snapshot", "image_state": "available", "owner_id": instance.project_id,
    }
    return {**inherited, "image_type": image_type, **metadata, **ours}


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
