"""The libvirt driver: the core, and one class per capability (virt/driver.py lists them)."""

from __future__ import annotations

from novalike.virt.libvirt.consoles import ConsoledGuests
from novalike.virt.libvirt.core import LibvirtCore
from novalike.virt.libvirt.suspending import SuspendingGuests


class LibvirtDriver(
    ConsoledGuests,
    SuspendingGuests,
    LibvirtCore,
):
    """A Driver with Leftovers and each capability listed here."""
