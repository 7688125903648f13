"""What is told of servers: how one looked at a moment, and why something failed."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A server at one moment, inside one transaction. `disks` None: nobody wants to hear of them."""

    instance: Instance
    disks: tuple[BlockDevice, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an operation failed; `details` (a traceback, often empty) is for operators."""

    message: str
    details: str = ""
    exception: str = "OperationFailed"
