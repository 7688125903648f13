"""Rebuild servers: check all that can be checked now, and leave the rest to a durable task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from novalike.api.operations import durable, hardware, images, names, quotas, sealing
from novalike.api.operations.create import check_files, check_metadata_count, keypair_of
from novalike.api.operations.server_images import is_volume_backed
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import acceptance
from novalike.db import quotas as quota_rows
from novalike.exception import Invalid, NotBuilt
from novalike.objects.image import Image
from novalike.objects.instance import Instance
from novalike.objects.rebuild import RebuildState
from novalike.objects.secret import Secret
from novalike.objects.states import DURABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildServer:
    """What a user asks for, in no dialect.

    `changes` are fields of objects.Instance to set besides those which the image brings: names, metadata, addresses ...
    `key` tells whether the keypair is to change, to `key_name` (None: no keypair). `admin_password` None: one is made.
    """

    image_id: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    key: bool = False
    key_name: str | None = None
    files: tuple[tuple[str, str], ...] = ()
    admin_password: Secret | None = None
    auto_disk_config: bool | None = None
    trusted_certificates: tuple[str, ...] | None = None
    preserve_ephemeral: bool = False
    zero_disk_allowed: bool = False
    volumes_allowed: bool = False                # a new image for a server whose root disk is a volume may be asked for


def rebuild(
    services: ApiServices, ctxt: RequestContext, instance: Instance, request: RebuildServer,
) -> tuple[Secret, dict[str, Any]]:
    """Accept a rebuild; answer the password to tell its user once, and the fields of the server as they will be.

    Raises Conflict when its state does not allow it, Invalid (what is wrong is named), OverQuota, NotBuilt.
    """
    acceptance.check(instance, DURABLE["rebuild"], pass_lock=ctxt.is_admin)
    if request.trusted_certificates is not None:
        raise NotBuilt("Image certificate validation (trusted_image_certificates) is not built yet.")
    _refuse_volumes(services, instance, request)
    image = images.bootable(services.images, ctxt, request.image_id, missing="Cannot find image for rebuild")
    with services.cells.shared.read() as session:
        limits = quota_rows.limits(session, instance.project_id, ctxt.user_id, quotas.defaults(services.conf.quota))
        keypair = keypair_of(session, ctxt, request.key_name) if request.key else None
    check_metadata_count(len(request.changes.get("metadata", {})), limits)
    check_files(request.files, limits)
    images.check_fit(image, instance.flavor, zero_disk_allowed=request.zero_disk_allowed)
    hardware.check_rebuild(services, instance.flavor, instance.image_properties, image.properties)
    changes = {**_of_image(instance, image), **request.changes, **_disk_config(image, request.auto_disk_config)}
    if request.key:
        changes |= {
            "key_name": keypair.name if keypair else None, "key_data": keypair.public_key if keypair else None,
            "key_type": keypair.type if keypair else "ssh",
        }
    password = request.admin_password or Secret(names.password(services.conf.password_length))
    facts = images.remembered(ctxt, image, instance.flavor)
    durable.accept(services, ctxt, instance, "rebuild", kind="rebuild", state=RebuildState(
        changes=changes, image_facts={name: text for name, text in facts.items() if name.startswith("image_")},
        other_image=image.id != instance.image_ref, image_min_ram=image.min_ram,
        encrypted_password=sealing.seal(services, password), files=request.files, preserve_ephemeral=request.preserve_ephemeral,
    ))
    return password, changes


def _of_image(instance: Instance, image: Image) -> dict[str, Any]:
    properties = image.properties
    return {
        "image_ref": image.id, "image_properties": dict(properties), "image_name": image.name,
        "kernel_id": properties.get("kernel_id") or "", "ramdisk_id": properties.get("ramdisk_id") or "",
        "os_type": properties.get("os_type"),
        "architecture": properties.get("hw_architecture") or properties.get("architecture"),
        "config_drive": instance.config_drive or properties.get("img_config_drive") == "mandatory",
    }


def _disk_config(image: Image, wanted: bool | None) -> dict[str, Any]:
    said = image.properties.get("auto_disk_config")
    if wanted and said is not None and said.lower() not in {"true", "1", "yes", "on"}:
        raise Invalid(f"Requested image {image.id} has automatic disk resize disabled.")
    return {} if wanted is None else {"auto_disk_config": wanted}


def _refuse_volumes(services: ApiServices, instance: Instance, request: RebuildServer) -> None:
    """Raise Invalid or NotBuilt for a server whose root disk is a volume."""
    if not is_volume_backed(services, instance):
        return
    if request.image_id != instance.image_ref and not request.volumes_allowed:
        raise Invalid("Unable to rebuild with a different image for a volume-backed server.")
    raise NotBuilt("Rebuilding volume-backed servers is not built yet.")
