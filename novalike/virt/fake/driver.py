"""The fake hypervisor behind the Driver interface: the core, and one class per capability (virt/driver.py lists them)."""

from __future__ import annotations

from novalike.virt.fake.consoles import ConsoledGuests
from novalike.virt.fake.core import FakeCore
from novalike.virt.fake.devices import DeviceGuests
from novalike.virt.fake.image_fetching import FetchedImages
from novalike.virt.fake.moves import MovedGuests
from novalike.virt.fake.passwords import ObedientGuests
from novalike.virt.fake.rebuild import RebuiltGuests
from novalike.virt.fake.rescue import RescuedGuests
from novalike.virt.fake.snapshots import CopiedGuests
from novalike.virt.fake.suspending import SuspendingGuests


class FakeDriver(
    MovedGuests,
    ConsoledGuests,
    CopiedGuests,
    DeviceGuests,
    FetchedImages,
    ObedientGuests,
    RebuiltGuests,
    RescuedGuests,
    SuspendingGuests,
    FakeCore,
):
    """A Driver with Leftovers and each capability listed here."""
