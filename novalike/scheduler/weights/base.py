"""What a weigher is."""

from __future__ import annotations

import logging
from typing import ClassVar

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options

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

    def multiplier(self, host: HostState) -> float:
        """Answer what this host's normalised weight is multiplied with."""
        values = host.metadata.get(self.multiplier_option)
        if not values:
            return self.sign * self._default
        try:
            return self.sign * min(float(value) for value in values)
        except ValueError:
            LOG.warning("aggregate metadata %s is not a number: %s", self.multiplier_option, ", ".join(sorted(values)))
            return self.sign * self._default
