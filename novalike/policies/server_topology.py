"""NUMA topology of servers; where it is on the host is for administrators."""

from __future__ import annotations

from novalike.policies.base import ADMIN, READER_OR_ADMIN, operation

_PATH = ("GET", "/servers/{server_id}/topology")
RULES = [
    operation("compute:server:topology:index", READER_OR_ADMIN, "Show a server's NUMA topology.", _PATH),
    operation("compute:server:topology:host:index", ADMIN, "Show how it lies on the host's NUMA nodes.", _PATH),
]
