"""Rescue servers, and change the passwords of their administrators."""

from __future__ import annotations

from novalike.api.operations import durable, names, sealing
from novalike.api.operations.server_images import is_volume_backed
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import acceptance
from novalike.exception import Conflict, Invalid, NotBuilt, NotFound
from novalike.objects.image import Image
from novalike.objects.instance import Instance
from novalike.objects.password import PasswordState
from novalike.objects.rescue import RescueState
from novalike.objects.secret import Secret
from novalike.objects.states import DURABLE

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})


def rescue(
    services: ApiServices, ctxt: RequestContext, instance: Instance, image_id: str | None, password: Secret | None, *,
    volumes_allowed: bool = False,
) -> Secret:
    """Accept a rescue from this image (None: the configured one, or the server's own); answer the rescue system's password.

    Raises Conflict when the server's state does not allow it, Invalid for an image or server which cannot be rescued, NotBuilt.
    """
    acceptance.check(instance, DURABLE["rescue"], pass_lock=ctxt.is_admin)
    options = services.conf.libvirt
    image = _image(services, ctxt, image_id) if image_id is not None else None
    _refuse_volumes(services, instance, volumes_allowed=volumes_allowed)
    chosen = image.id if image is not None else options.rescue_image_id or instance.image_ref
    if not chosen:
        raise Invalid(f"Instance {instance.uuid} cannot be rescued: there is no image to rescue it with")
    own = chosen == instance.image_ref           # what boots the server boots its image in a rescue as well
    properties = image.properties if image is not None else {}
    password = password or Secret(names.password(services.conf.password_length))
    durable.accept(services, ctxt, instance, "rescue", kind="rescue", state=RescueState(
        image_id=chosen, encrypted_password=sealing.seal(services, password),
        kernel_id=properties.get("kernel_id") or options.rescue_kernel_id or (instance.kernel_id if own else ""),
        ramdisk_id=properties.get("ramdisk_id") or options.rescue_ramdisk_id or (instance.ramdisk_id if own else ""),
    ))
    return password


def change_password(services: ApiServices, ctxt: RequestContext, instance: Instance, password: Secret) -> None:
    """Accept a new password for the administrator in a server's guest; its agent is asked later.

    Raises Conflict when the server's state does not allow it, or its image says that there is no agent.
    """
    acceptance.check(instance, DURABLE["change_password"], pass_lock=ctxt.is_admin)
    properties = instance.image_properties
    if not any(properties.get(name, "").strip().lower() in _TRUE for name in ("hw_qemu_guest_agent", "os_require_quiesce")):
        raise Conflict("QEMU guest agent is not enabled")
    durable.accept(
        services, ctxt, instance, "change_password", kind="change_password",
        state=PasswordState(encrypted_password=sealing.seal(services, password)),
    )


def _image(services: ApiServices, ctxt: RequestContext, image_id: str) -> Image:
    try:
        image = services.images.get(ctxt, image_id)
    except NotFound as error:
        raise Invalid(f"Requested rescue image '{image_id}' is not supported") from error
    if image.properties.get("img_block_device_mapping") or image.properties.get("block_device_mapping"):
        raise Invalid(f"Requested rescue image '{image_id}' is not supported")
    if image.status != "active":
        raise Invalid(f"Image {image_id} is not active.")
    return image


def _refuse_volumes(services: ApiServices, instance: Instance, *, volumes_allowed: bool) -> None:
    if not is_volume_backed(services, instance):
        return
    if not volumes_allowed:
        raise Invalid(f"Instance {instance.uuid} cannot be rescued: Cannot rescue a volume-backed instance")
    raise NotBuilt("Rescuing volume-backed servers is not built yet.")
