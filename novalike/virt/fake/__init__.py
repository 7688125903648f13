"""A working hypervisor without guests: it keeps records of domains, disks and taps, power states and console text."""

from novalike.virt.fake.driver import FakeDriver
from novalike.virt.fake.faults import Fault
from novalike.virt.fake.hypervisor import FakeGuest, FakeHypervisor

__all__ = ["FakeDriver", "FakeGuest", "FakeHypervisor", "Fault"]
