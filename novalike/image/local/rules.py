"""What an image record may say."""

from __future__ import annotations

import re
from typing import Any

from novalike.exception import Forbidden, Invalid, TooLarge
from novalike.objects.image import Image

VISIBILITIES = ("public", "private", "shared", "community")
#: Only the service itself sets these.
READ_ONLY = frozenset({
    "id", "status", "checksum", "size", "virtual_size", "os_hash_algo", "os_hash_value", "created_at", "updated_at", "self",
    "file", "schema", "direct_url", "url", "metadata", "deleted", "deleted_at",
})
#: Names which exist and which nobody may use.
RESERVED = frozenset({"locations", "members", "stores", "is_public"})
#: Fields which users set; everything else is a property.
SETTABLE = frozenset({
    "name", "visibility", "owner", "disk_format", "container_format", "min_disk", "min_ram", "tags", "protected", "os_hidden",
})
#: Prefix of what the service notes for itself beside users' properties.
INTERNAL_PREFIX = "os_glance_"
_PROPERTY_NAME = re.compile(r"[^\s/](?:[^/]{0,253}[^\s/])?")


def check(image: Image, section: Any) -> None:
    """Check a record's fields and quotas. Raises Invalid, Forbidden or TooLarge, naming the field."""
    for name, allowed in (("disk_format", section.disk_formats), ("container_format", section.container_formats)):
        value = getattr(image, name)
        if value is not None and value not in allowed:
            raise Invalid(f"Invalid {name} {value[:64]!r} for image: it must be one of {', '.join(allowed)}.")
    boot = {"ami", "ari", "aki"}
    if boot & {image.disk_format, image.container_format} and image.disk_format and image.container_format \
            and image.disk_format != image.container_format:
        raise Invalid("Invalid mix of disk and container formats. When setting a disk or container format to one of "
                      "'aki', 'ari', or 'ami', the container and disk formats must match.")
    if image.visibility not in VISIBILITIES:
        raise Invalid(f"Invalid visibility value: {image.visibility[:64]}.")
    for name in ("min_disk", "min_ram"):
        if not 0 <= getattr(image, name) <= 2**31 - 1:
            raise Invalid(f"Invalid value for {name}: it must be between 0 and 2147483647.")
    _quota("tags", len(set(image.tags)), section.image_tag_quota)
    _quota("properties", len(image.properties), section.image_property_quota)
    for tag in image.tags:
        if not isinstance(tag, str) or not 1 <= len(tag) <= 255:
            raise Invalid("Invalid value for tags: a tag has 1 to 255 characters.")
    for name, value in image.properties.items():
        check_property(name, value)


def check_property(name: str, value: Any) -> None:
    """Check one property of a user. Raises Invalid or Forbidden."""
    if name in RESERVED:
        raise Forbidden(f"Attribute '{name}' is reserved.")
    if name in READ_ONLY:
        raise Forbidden(f"Attribute '{name}' is read-only.")
    if name.startswith(INTERNAL_PREFIX):
        raise Forbidden(f"Attribute '{name[:255]}' is reserved: properties which begin with {INTERNAL_PREFIX} are the service's own.")
    if not _PROPERTY_NAME.fullmatch(name):
        raise Invalid(f"Invalid property name {name[:64]!r}: 1 to 255 characters, no '/', no blanks at its ends.")
    if not isinstance(value, str):
        raise Invalid(f"Invalid value for property {name}: it must be a string.")
    if len(value) > 65535:
        raise Invalid(f"Invalid value for property {name}: it is longer than 65535 characters.")


def _quota(what: str, count: int, limit: int) -> None:
    if 0 <= limit < count:
        raise TooLarge(f"The limit has been exceeded on the number of allowed image {what}. Attempted: {count}, Maximum: {limit}")
