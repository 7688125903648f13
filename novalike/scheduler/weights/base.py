"""What a weigher is."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, ClassVar

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers

LOG = logging.getLogger(__name__)


class Weigher:
    """Weighs hosts in any unit: the weights of all hosts are normalised to 0..1, then multiplied and summed.

    `multiplier_option` names the option with the multiplier, which aggregates of a host may override by a metadata key of
    the same name (the smallest wins). `sign` -1 turns "more" into "worse".
    """

    multiplier_option: ClassVar[str]
    sign: ClassVar[float] = 1.0
    #: What it needs to know of hosts beyond what is always read (names in host_state.py).
    needs: frozenset[str] = frozenset()

    def __init__(self, options: Options) -> None:
        self.options = options
        self._default = float(getattr(options, self.multiplier_option))

    @property
    def name(self) -> str:
        """The weigher's name in configuration and logs."""
        return type(self).__name__

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer this host's weight, higher is better (before the multiplier)."""
        raise NotImplementedError

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once; a single number: all weigh that.

        None: ask host by host, for this question or for all. A subclass which changes a method of a weigher that has this form
        is asked host by host, unless it brings a form of its own.
        """
        return None

    def multiplier(self, host: HostState) -> float:
        """Answer what this host's normalised weight is multiplied with: by its aggregates, or the option."""
        values = host.metadata.get(self.multiplier_option)
        if not values:
            return self.sign * self._default
        try:
            numbers = [float(value) for value in values]
        except ValueError:
            numbers = [math.nan]
        if all(math.isfinite(number) for number in numbers):
            return self.sign * min(numbers)
        LOG.warning("aggregate metadata %s is not a number: %s", self.multiplier_option, ", ".join(sorted(values)))
        return self.sign * self._default
