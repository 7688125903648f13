"""Turns what a flavor and an image want of the hardware into what filters and claims look at. Done once per question."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from novalike.exception import Invalid, NoValidHost
from novalike.hardware import numa, pci
from novalike.objects.request_spec import RequestSpec


class HardwareWishes:
    """Knows the names of PCI devices ([pci]alias) and whether cells of hosts are filled one by one. Raises Invalid when wrong."""

    def __init__(self, aliases: tuple[str, ...] = (), *, pack: bool = False) -> None:
        self._aliases = pci.aliases(aliases)
        self._pack = pack

    @classmethod
    def of(cls, conf: Any) -> HardwareWishes:
        """Read them from the configuration. Raises Invalid."""
        return cls(tuple(conf.pci.alias), pack=conf.compute.packing_host_numa_cells_allocation_strategy)

    def looked_up(self, spec: RequestSpec) -> RequestSpec:
        """Answer the spec with its wish for hardware. Dedicated CPUs become resources of class PCPU, and are no VCPU then.

        Raises NoValidHost when it cannot be understood: flavors may have changed since the API looked.
        """
        if spec.hardware is not None:
            return spec
        flavor = spec.flavor
        try:
            wish = numa.wish(flavor, spec.image_properties, self._aliases, pack=self._pack)
        except Invalid as error:
            raise NoValidHost(f"No valid host was found. {error}") from error
        if wish is None:
            return spec
        specs = dict(flavor.extra_specs)
        if wish.pcpus:
            dedicated = sum(len(cell.dedicated) for cell in wish.cells)
            specs |= {"resources:VCPU": str(flavor.vcpus - dedicated), f"resources:{numa.PCPU}": str(wish.pcpus)}
        return replace(spec, hardware=wish, flavor=replace(flavor, extra_specs=specs))
