"""Where the limits of projects come from before anybody set any."""

from __future__ import annotations

from typing import Any

from novalike.objects.quota import DEFAULT_LIMITS

#: Resources whose option has another name than the resource.
_OPTION = {"injected_file_path_bytes": "injected_file_path_length"}
#: Resources of services beside compute, kept only for answers of old microversions; no option sets them.
FOREIGN = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")


def defaults(quota_section: Any) -> dict[str, int]:
    """Answer the configured limit of every resource; `quota_section` is `conf.quota`."""
    return {
        resource: limit if resource in FOREIGN else quota_section[_OPTION.get(resource, resource)]
        for resource, limit in DEFAULT_LIMITS.items()
    }
