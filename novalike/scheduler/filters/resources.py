"""Has the host the custom resources and traits which the flavor and the image ask for? (In Nova: Placement's part.)"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from novalike.hardware import wishes
from novalike.hardware.capacity import Shortage, custom_shortages, demand, missing
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class ResourcesFilter(Filter):
    """Passes hosts with enough of the resources of `resources:CLASS` extra specs, in amounts which the hosts give out."""

    always = True

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which has too little, none, or gives out other amounts; all when a wish is malformed."""
        if not _asks(spec):
            return None
        never = self._never(spec, host)
        if never is not None:
            return never
        short = custom_shortages(demand(spec.flavor, root_volume=spec.root_volume), host.used, host.capacity)
        return f"not enough {short[0].resource}" if short else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        if not _asks(spec):
            return ()
        # Most hosts of a cloud have none of it: that is told by what they offer. The others are asked one by one.
        offers = hosts.kinds(_offered)
        rejected = offers.rejected(lambda host: self._never(spec, host))
        left = ~hosts.none()
        for _, mask in rejected:
            left &= ~mask
        return [*rejected, *hosts.each(left, lambda host: self.reject(spec, host))]

    @staticmethod
    def _never(spec: RequestSpec, host: HostState) -> str | None:
        """Answer why the host could not take it even if it were empty."""
        wrong = wishes.malformed(spec.flavor.extra_specs, {})
        if wrong is not None:
            return wrong
        wanted = demand(spec.flavor, root_volume=spec.root_volume)
        for name, amount in sorted(wanted.custom.items()):
            offered = host.inventory.resources.get(name)
            if offered is None:
                return f"no {name}"
            if amount < offered.min_unit or amount % offered.step_size:
                return f"{name} is given out from {offered.min_unit} in steps of {offered.step_size}"
        return None

    def shortages(self, spec: RequestSpec, host: HostState) -> tuple[Shortage, ...]:
        """Answer how much less of each resource would have fitted; empty when one cannot be had at all."""
        if wishes.malformed(spec.flavor.extra_specs, {}) is not None:
            return ()
        found = []
        for name, amount in sorted(demand(spec.flavor, root_volume=spec.root_volume).custom.items()):
            offered = host.inventory.resources.get(name)
            if offered is None:
                return ()
            has = host.capacity
            left = amount - missing(amount, host.used.custom.get(name, 0), has.limit.custom.get(name, 0), has.largest.custom.get(name, 0))
            left -= left % offered.step_size
            if left < max(1, offered.min_unit):
                return ()
            if left < amount:
                found.append(Shortage(name, amount, amount - left))
        return tuple(found)


class TraitsFilter(Filter):
    """Passes hosts with all traits which flavor or image require (`trait:NAME=required`) and none which the flavor forbids."""

    always = True
    asked_of_images = True

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host without a trait, or with a forbidden one; all when a wish is malformed."""
        specs, properties = spec.flavor.extra_specs, spec.image_properties
        wanted = wishes.traits(specs, properties)
        if wanted is wishes.NO_TRAITS:
            return None
        wrong = wishes.malformed(specs, properties)
        if wrong is not None:
            return wrong
        has = frozenset(host.inventory.traits)
        lacking = wanted.required - has
        if lacking:
            return f"no {min(lacking)}"
        unwanted = wanted.forbidden & has
        return f"has {min(unwanted)}" if unwanted else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        if wishes.traits(spec.flavor.extra_specs, spec.image_properties) is wishes.NO_TRAITS:
            return ()
        return hosts.kinds(_traits).rejected(lambda host: self.reject(spec, host))


def _asks(spec: RequestSpec) -> bool:
    return any(key.startswith("resources") or key == "group_policy" for key in spec.flavor.extra_specs)


def _offered(host: HostState) -> Hashable:
    return frozenset((name, one.min_unit, one.step_size) for name, one in host.inventory.resources.items())


def _traits(host: HostState) -> Hashable:
    return host.inventory.traits
