"""Default policy rules, one file per API resource. Every module here lists its own in `RULES`."""

from __future__ import annotations

import importlib
import pkgutil

from oslo_policy import policy


def list_rules() -> list[policy.RuleDefault]:
    """Answer all default rules; also the entry point of oslopolicy-sample-generator."""
    rules: list[policy.RuleDefault] = []
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        rules.extend(importlib.import_module(f"{__name__}.{module}").RULES)
    return rules
