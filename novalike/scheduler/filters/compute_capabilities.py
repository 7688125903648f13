"""Has the host what the flavor's extra specs ask for?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import extra_specs, facts
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_SCOPE = "capabilities"


class ComputeCapabilitiesFilter(Filter):
    """Passes hosts whose capabilities satisfy the flavor's extra specs.

    Keys in the scope `capabilities:` and keys without a scope are checked; other scopes (hw:, quota:, ...) are not for
    this filter. `capabilities:cpu_info:features` goes into a nested capability.
    """

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which lacks a capability or has another value of it."""
        for key, path, requirement in _wishes(spec):
            if not _has(host, path, requirement):
                return f"the flavor needs {key} {requirement}"
        return None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once: each fact is looked at once per value."""
        rejected: list[Rejected] = []
        for key, path, requirement in _wishes(spec):
            reason = f"the flavor needs {key} {requirement}"
            rejected += hosts.kinds(facts.reader(path)).rejected(_unless_it_has(path, requirement, reason))
        return rejected


def _wishes(spec: RequestSpec) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for key, requirement in spec.flavor.extra_specs.items():
        path = tuple(key.split(":"))
        if len(path) > 1:
            if path[0] != _SCOPE:
                continue
            path = path[1:]
        if path[0] != "hide_hypervisor_id":          # a wish about the guest, which has no scope for history's sake
            yield key, path, requirement


def _has(host: HostState, path: tuple[str, ...], requirement: str) -> bool:
    value = facts.fact(host, path)
    return value is not None and extra_specs.match(value, requirement)


def _unless_it_has(path: tuple[str, ...], requirement: str, reason: str) -> Callable[[HostState], str | None]:
    return lambda host: None if _has(host, path, requirement) else reason
