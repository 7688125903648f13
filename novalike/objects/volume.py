"""Volumes, as compute sees them; the volume service knows more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume. `status` is Cinder's: available, reserved, attaching, in-use, detaching, error ...

    `attached_to` are uuids of the servers which have it. Size in GiB.
    """

    id: str
    project_id: str
    size_gb: int
    status: str
    name: str = ""
    multiattach: bool = False
    bootable: bool = False
    encrypted: bool = False
    availability_zone: str | None = None
    attached_to: tuple[str, ...] = ()
