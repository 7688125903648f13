"""Has the host what the flavor's extra specs ask for?"""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import extra_specs, facts
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

_SCOPE = "capabilities"


class ComputeCapabilitiesFilter(Filter):
    """Passes hosts whose capabilities satisfy the flavor's extra specs.

    Keys in the scope `capabilities:` and keys without a scope are checked; other scopes (hw:, quota:, ...) are not for
    this filter. `capabilities:cpu_info:features` goes into a nested capability.
    """

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which lacks a capability or has another value of it."""
        for key, requirement in spec.flavor.extra_specs.items():
            path = key.split(":")
            if len(path) > 1:
                if path[0] != _SCOPE:
                    continue
                path = path[1:]
            if path[0] == "hide_hypervisor_id":      # a wish about the guest, which has no scope for history's sake
                continue
            value = facts.fact(host, path)
            if value is None or not extra_specs.match(value, requirement):
                return f"the flavor needs {key} {requirement}"
        return None
