"""Limits and what counts against them."""

from __future__ import annotations

from dataclasses import dataclass

UNLIMITED = -1

#: Resource -> Nova's default limit. `ram` is MiB.
DEFAULT_LIMITS: dict[str, int] = {
    "instances": 10,
    "cores": 20,
    "ram": 51200,
    "metadata_items": 128,
    "injected_files": 5,
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
    "fixed_ips": -1,
    "floating_ips": -1,
    "security_groups": -1,
    "security_group_rules": -1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a project (or one user in it) uses now. `ram` is MiB."""

    instances: int = 0
    cores: int = 0
    ram: int = 0
