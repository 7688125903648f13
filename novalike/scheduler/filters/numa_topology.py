"""Has the host NUMA cells, dedicated CPUs and pages as the server wants them?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from novalike.hardware.fitting import Misfit, fit
from novalike.objects.hardware import HardwareWish
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class _HardwareFilter(Filter):
    """The claim grants nothing that a filter like this would refuse, so that it is asked always."""

    always = True

    def wish(self, spec: RequestSpec) -> HardwareWish | None:
        """Answer the part of the wish which is looked at here."""
        raise NotImplementedError

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host whose free hardware does not grant it."""
        wish = self.wish(spec)
        if wish is None:
            return None
        answer = fit(wish, host.free, host.ratios)
        return answer.reason if isinstance(answer, Misfit) else None

    def remedy(self, spec: RequestSpec, host: HostState) -> str | None:
        """Answer the first of some lesser wishes which this host would have granted."""
        wish = self.wish(spec)
        if wish is None:
            return None
        return next((words for words, less in lesser(wish) if not isinstance(fit(less, host.free, host.ratios), Misfit)), None)


class NUMATopologyFilter(_HardwareFilter):
    """Passes hosts which have what the server wants of NUMA cells, dedicated CPUs and memory pages, and devices near them."""

    def wish(self, spec: RequestSpec) -> HardwareWish | None:
        """Answer the whole wish, if it is about cells at all: devices have to be near them."""
        return spec.hardware if spec.hardware is not None and spec.hardware.cells else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer that nobody is rejected who wants nothing; others are asked host by host."""
        return () if self.wish(spec) is None else None


class PciPassthroughFilter(_HardwareFilter):
    """Passes hosts with enough free PCI devices of the flavor's aliases, wherever they are."""

    def wish(self, spec: RequestSpec) -> HardwareWish | None:
        """Answer what the server wants of devices."""
        return HardwareWish(devices=spec.hardware.devices) if spec.hardware is not None and spec.hardware.devices else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer that nobody is rejected who wants nothing; others are asked host by host."""
        return () if self.wish(spec) is None else None


def lesser(wish: HardwareWish) -> Iterator[tuple[str, HardwareWish]]:
    """Answer lesser wishes and how to say that they are."""
    if wish.emulator == "isolate":
        yield "without isolated emulator threads", replace(wish, emulator=None)
    if wish.thread_policy in ("isolate", "require"):
        yield "with CPU thread policy prefer", replace(wish, thread_policy="prefer")
    if wish.page_size not in (None, "any", "small"):
        yield "with small memory pages", replace(wish, page_size="small")
    if wish.devices and wish.cells:
        yield "with PCI devices of any NUMA node", replace(
            wish, devices=tuple(replace(one, affinity="preferred") for one in wish.devices),
        )
    for one in wish.devices:
        for count in range(one.count - 1, -1, -1):
            rest = tuple(other for other in wish.devices if other is not one)
            kept = (replace(one, count=count),) if count else ()
            words = f"with {one.count - count} PCI device{'s' if one.count - count > 1 else ''} {one.alias} less"
            yield words, replace(wish, devices=(*rest, *kept))
