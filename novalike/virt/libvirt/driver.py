"""The libvirt driver: the core, and one class per capability (virt/driver.py lists them)."""

from __future__ import annotations

from novalike.virt.libvirt.core import LibvirtCore


class LibvirtDriver(LibvirtCore):
    """A Driver with Leftovers."""
