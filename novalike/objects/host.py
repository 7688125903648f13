"""Hypervisors: what they have, and which services run where."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from novalike.objects.hardware import HostCell, HostDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResource:
    """How much of a custom resource class a host has; `max_unit` is the most for one server (None: all there is)."""

    total: int
    reserved: int = 0
    allocation_ratio: float = 1.0
    min_unit: int = 1
    max_unit: int | None = None
    step_size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a compute host reports of itself at start and whenever it changes. Memory in MiB, disk in GiB.

    `supported` are (architecture, hypervisor type, vm mode) triples; `traits` are os-traits names plus CUSTOM_*;
    `capabilities` are free driver facts for ComputeCapabilitiesFilter. Ratios of None mean "use the default".
    """

    host: str
    node: str
    uuid: str                                    # of the compute node; the host keeps it in its state directory
    hypervisor_type: str
    hypervisor_version: int
    host_ip: str
    vcpus: int
    memory_mb: int
    local_gb: int
    reserved_vcpus: int = 0
    reserved_memory_mb: int = 0
    reserved_disk_gb: int = 0
    cpu_allocation_ratio: float | None = None
    ram_allocation_ratio: float | None = None
    disk_allocation_ratio: float | None = None
    cpu_info: dict[str, object] = field(default_factory=dict)
    supported: tuple[tuple[str, str, str], ...] = ()
    traits: tuple[str, ...] = ()
    capabilities: dict[str, str] = field(default_factory=dict)
    connector: dict[str, str] = field(default_factory=dict)   # for volumes: initiator, ip ...
    resources: dict[str, CustomResource] = field(default_factory=dict)   # by resource class
    cells: tuple[HostCell, ...] = ()
    devices: tuple[HostDevice, ...] = ()
    rpc_version: str = "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUsage:
    """What a host sees in use now, reported with heartbeats when changed; shown by os-hypervisors.

    Nothing is claimed from these numbers. `metrics` are what monitors measure, for MetricsFilter and MetricsWeigher.
    """

    memory_mb_used: int = 0
    local_gb_used: int = 0
    disk_available_least: int = 0
    running_vms: int = 0
    uptime: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeNode:
    """A hypervisor as stored: its inventory, its place, and what claims on it add up to."""

    id: int
    uuid: str
    host: str
    node: str
    inventory: Inventory
    usage: HostUsage = HostUsage()
    vcpus_used: int = 0
    memory_mb_used: int = 0
    local_gb_used: int = 0
    instances: int = 0
    failed_builds: int = 0                       # in a row
    service: Service | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A daemon which heartbeats. `up` was decided by the database's clock when the row was read."""

    id: int
    uuid: str
    host: str
    binary: str
    topic: str
    up: bool
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    availability_zone: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None          # last heartbeat
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedServer:
    """A server as lists of hypervisors show it. `name` is the hypervisor's name for it, as Instance.name."""

    uuid: str
    name: str
