"""The libvirt driver: the core, and one class per capability (virt/driver.py lists them)."""

from __future__ import annotations

from novalike.virt.libvirt.consoles import ConsoledGuests
from novalike.virt.libvirt.core import LibvirtCore
from novalike.virt.libvirt.devices import DeviceGuests
from novalike.virt.libvirt.image_fetching import FetchedImages
from novalike.virt.libvirt.moves import MovedGuests
from novalike.virt.libvirt.passwords import ObedientGuests
from novalike.virt.libvirt.rebuild import RebuiltGuests
from novalike.virt.libvirt.rescue import RescuedGuests
from novalike.virt.libvirt.snapshots import CopiedGuests
from novalike.virt.libvirt.suspending import SuspendingGuests


class LibvirtDriver(
    MovedGuests,
    ConsoledGuests,
    CopiedGuests,
    DeviceGuests,
    FetchedImages,
    ObedientGuests,
    RebuiltGuests,
    RescuedGuests,
    SuspendingGuests,
    LibvirtCore,
):
    """A Driver with Leftovers and each capability listed here."""
