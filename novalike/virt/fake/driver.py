"""The fake hypervisor behind the Driver interface: the core, and one class per capability (virt/driver.py lists them)."""

from __future__ import annotations

from novalike.virt.fake.core import FakeCore


class FakeDriver(FakeCore):
    """A Driver with Leftovers."""
