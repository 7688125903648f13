"""What a driver is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.filters.numa_topology import NUMATopologyFilter, PciPassthroughFilter
from novalike.scheduler.filters.resources import ResourcesFilter, TraitsFilter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options
from novalike.scheduler.select import Decision, select
from novalike.scheduler.weights.base import Weigher


class Driver:
    """Chooses hosts: by filters and weighers unless a subclass does otherwise. Must be pure: `seed` is the only chance.

    Whatever a driver answers is claimed exactly, and the policies of server groups hold: it only decides who is preferred.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.filters: tuple[Filter, ...] = ()
        self.weighers: tuple[Weigher, ...] = ()

    @property
    def name(self) -> str:
        """The driver's name in records of decisions."""
        return type(self).__name__

    @property
    def needs(self) -> frozenset[str]:
        """What the plugins need to know of hosts beyond what is always read."""
        return frozenset().union(*(one.needs for one in self.filters), *(one.needs for one in self.weighers))

    def decide(self, spec: RequestSpec, hosts: Sequence[HostState], seed: str) -> Decision:
        """Answer all hosts which can take the server, best first, and why the others cannot."""
        return select(spec, hosts, self.filters, self.weighers, seed, self.options)


_NECESSARY: tuple[type[Filter], ...] = (ResourcesFilter, TraitsFilter, PciPassthroughFilter, NUMATopologyFilter)


def with_necessary(filters: Iterable[Filter], options: Options) -> tuple[Filter, ...]:
    """Answer filters and, behind them, those which are asked always; a filter which was enabled stays where it is."""
    chosen = tuple(filters)
    present = {type(one) for one in chosen}
    return chosen + tuple(kind(options) for kind in _NECESSARY if kind not in present)
