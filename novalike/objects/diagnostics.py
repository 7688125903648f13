"""What a hypervisor counts of a running guest."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuDiagnostics:
    """A virtual CPU. `time` is nanoseconds of work, `utilisation` per cent; None: not known."""

    id: int | None = None
    time: int | None = None
    utilisation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NicDiagnostics:
    """A network interface, as its guest sees it: rx is what it received. Rates are bytes a second."""

    mac_address: str | None = None
    rx_octets: int | None = None
    rx_packets: int | None = None
    rx_errors: int | None = None
    rx_drop: int | None = None
    rx_rate: int | None = None
    tx_octets: int | None = None
    tx_packets: int | None = None
    tx_errors: int | None = None
    tx_drop: int | None = None
    tx_rate: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskDiagnostics:
    """A disk."""

    read_bytes: int | None = None
    read_requests: int | None = None
    write_bytes: int | None = None
    write_requests: int | None = None
    errors_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """A guest. Memory in MiB, `uptime` in seconds; `state` as Nova names it (running, paused, shutdown, crashed, suspended).

    `free_form` is what drivers told before there was a common form: libvirt's names.
    """

    state: str
    driver: str
    hypervisor: str | None = None
    hypervisor_os: str | None = None
    uptime: int | None = None
    config_drive: bool = False
    memory_maximum: int | None = None
    memory_used: int | None = None
    cpus: tuple[CpuDiagnostics, ...] = ()
    nics: tuple[NicDiagnostics, ...] = ()
    disks: tuple[DiskDiagnostics, ...] = ()
    free_form: dict[str, int] = field(default_factory=dict)
