"""Which image a server is made of, and whether it fits the flavor."""

from __future__ import annotations

from novalike.context import RequestContext
from novalike.exception import Forbidden, Invalid, NotFound
from novalike.image.client import ImageClient
from novalike.objects.flavor import Flavor
from novalike.objects.image import Image

_GIB = 1024 ** 3


def bootable(
    images: ImageClient, ctxt: RequestContext, image_id: str, *, missing: str = "Can not find requested image",
) -> Image:
    """Answer an image the caller may boot from, its kernel and ramdisk checked too. Raises Invalid, with `missing` for no image."""
    image = _seen(images, ctxt, image_id, missing)
    if image.status != "active":
        raise Invalid(f"Image {image_id} is not active.")
    for name in ("kernel_id", "ramdisk_id"):
        part = image.properties.get(name)
        if part:
            _seen(images, ctxt, part, f"Image {image_id} names a {name} which can not be found: {part[:255]}")
    return image


def remembered(ctxt: RequestContext, image: Image, flavor: Flavor) -> dict[str, str]:
    """Answer what a server remembers of its image and maker in its system metadata: images made of it inherit that (Nova's names)."""
    facts = {
        "image_base_image_ref": image.id, "image_min_ram": str(image.min_ram), "image_min_disk": str(max(image.min_disk, flavor.root_gb)),
        "image_disk_format": image.disk_format, "image_container_format": image.container_format,
        "owner_user_name": ctxt.user_name, "owner_project_name": ctxt.project_name, "boot_roles": ",".join(sorted(ctxt.roles)),
    }
    return {name: value for name, value in facts.items() if value}


def _seen(images: ImageClient, ctxt: RequestContext, image_id: str, complaint: str) -> Image:
    try:
        return images.get(ctxt, image_id)
    except NotFound as error:
        raise Invalid(complaint) from error


def check_fit(image: Image, flavor: Flavor, *, zero_disk_allowed: bool) -> None:
    """Raise Invalid when the flavor is too small for the image, Forbidden for a root disk of size 0 without the right to it."""
    if image.min_ram > flavor.memory_mb:
        raise Invalid("Flavor's memory is too small for requested image.")
    if flavor.root_gb == 0:
        if not zero_disk_allowed:
            raise Forbidden("Only volume-backed servers are allowed for flavors with zero disk.")
        return
    size = max(image.size or 0, image.virtual_size or 0)
    if size > flavor.root_gb * _GIB:
        raise Invalid(
            "Flavor's disk is too small for requested image. "
            f"Flavor disk is {flavor.root_gb * _GIB} bytes, image is {size} bytes.",
        )
    if image.min_disk > flavor.root_gb:
        raise Invalid(
            "Flavor's disk is smaller than the minimum size specified in image metadata. "
            f"Flavor disk is {flavor.root_gb * _GIB} bytes, minimum size is {image.min_disk * _GIB} bytes.",
        )
