"""Work that a daemon repeats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Periodic:
    """Call `function` every `interval` seconds (measured from end to start), first after `delay` seconds.

    An error is logged and the next round comes as usual. An interval of 0 or less turns it off.
    """

    name: str
    interval: float
    function: Callable[[], None]
    delay: float = 0.0
