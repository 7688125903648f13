"""The log of usage audits."""

from __future__ import annotations

from novalike.policies.base import ADMIN, operation

_RULE, _PATH = "os_compute_api:os-instance-usage-audit-log", "/os-instance_usage_audit_log"
RULES = [
    operation(f"{_RULE}:list", ADMIN, "Show the audit of the last period.", ("GET", _PATH)),
    operation(f"{_RULE}:show", ADMIN, "Show the audit of an earlier period.", ("GET", f"{_PATH}/{{id}}")),
]
