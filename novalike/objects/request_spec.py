"""What a server needs of a host."""

from __future__ import annotations

from dataclasses import dataclass, field

from novalike.objects.flavor import Flavor
from novalike.objects.hardware import Hardware, HardwareWish
from novalike.objects.server_group import GroupPlaces


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSpec:
    """The question put to the scheduler, for one instance.

    `excluded_hosts` were tried before and failed; `forced_host`/`forced_node` come from `zone:host:node` or 2.74.
    `hints` are the user's scheduler hints and nothing of ours ever goes in there.
    """

    instance_uuid: str
    project_id: str
    user_id: str
    flavor: Flavor
    epoch: int = 1
    role: str = "instance"                      # which claim of the instance: instance, or migration for a second host
    image_ref: str = ""
    image_properties: dict[str, str] = field(default_factory=dict)
    image_min_ram: int = 0
    availability_zone: str | None = None
    hints: dict[str, object] = field(default_factory=dict)
    forced_host: str | None = None
    forced_node: str | None = None
    requested_host: str | None = None           # 2.74: asked for, still filtered
    requested_node: str | None = None
    excluded_hosts: tuple[str, ...] = ()
    leaves_host: str | None = None              # a move: where the server is and must not stay
    server_group: str | None = None
    group: GroupPlaces | None = None            # looked up by the scheduler itself: where the group is now
    hinted_hosts: dict[str, tuple[str, ...]] = field(default_factory=dict)   # by the same: where servers named in hints are
    root_volume: bool = False                   # the root disk is a volume: needs no local disk
    hardware: HardwareWish | None = None        # by the same: what flavor and image want of NUMA cells, CPUs and devices


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The scheduler's answer: the host whose resources are now claimed for the instance."""

    host: str
    node: str
    availability_zone: str
    considered: int = 0                         # hosts in the snapshot
    weight: float = 0.0
    hardware: Hardware | None = None            # which CPUs, pages and devices exactly


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """How many hosts one filter (or the claim) removed, the commonest reason, and the nearest miss."""

    by: str
    removed: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoHost:
    """Why no host was found: `summary` is for the user (counts and constraints, no host names)."""

    considered: int
    rejections: tuple[Rejection, ...]
    nearest: str | None                          # what would have worked, in words
    summary: str
