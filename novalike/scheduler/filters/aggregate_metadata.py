"""What a host's aggregates say of it, as filters read it."""

from __future__ import annotations

import logging
from typing import TypeVar

from novalike.scheduler.host_state import HostState

LOG = logging.getLogger(__name__)
N = TypeVar("N", int, float)


def values(host: HostState, key: str) -> frozenset[str]:
    """Answer all values which the host's aggregates give a key; a value may be a list with commas."""
    found = host.metadata.get(key)
    if not found:
        return frozenset()
    return frozenset(part.strip() for value in found for part in value.split(","))


def smallest(host: HostState, key: str, default: N) -> N:
    """Answer the smallest number which the host's aggregates give a key; the default when there is none, or no number."""
    found = values(host, key)
    if not found:
        return default
    try:
        return min(type(default)(value) for value in found)
    except ValueError:
        LOG.warning("aggregate metadata %s is not a number: %s", key, ", ".join(sorted(found)))
        return default
