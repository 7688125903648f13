"""What this host has and uses, told to the conductor when it starts and whenever it changes."""

from __future__ import annotations

import logging
import os
import threading
import uuid as uuid_module
from dataclasses import replace

from novalike.compute import provider_config
from novalike.compute.host import ComputeHost
from novalike.compute.monitors import Monitors
from novalike.compute.provider_config import Declared
from novalike.context import RequestContext
from novalike.exception import Invalid
from novalike.hardware.offer import offer
from novalike.objects.host import HostUsage, Inventory
from novalike.rpc.compute import Build, Host

LOG = logging.getLogger(__name__)
BINARY = "novalike-compute"


class HostInventory:
    """Collects and reports inventory and usage. The host's uuid lives in `compute_id` below the state directory."""

    def __init__(self, host: ComputeHost, state_dir: str) -> None:
        self._host = host
        self._uuid = provider_uuid(state_dir)
        self._monitors = Monitors(host.conf.compute_monitors)
        self._declared: Declared | None = None
        self._lock = threading.Lock()
        self._told: Inventory | None = None
        self._told_usage: HostUsage | None = None
        self._used_changed = True
        host.on_change(self._mark)

    def collect(self) -> Inventory:
        """Answer what the driver has found, with what the operator reserves and over-commits."""
        conf = self._host.conf
        found = offer(
            self._host.driver.inventory(), shared_set=conf.compute.cpu_shared_set, dedicated_set=conf.compute.cpu_dedicated_set,
            reserved_pages=conf.reserved_huge_pages, device_spec=conf.pci.device_spec,
        )
        connector = {
            "ip": conf.my_block_storage_ip or conf.my_ip, "host": self._host.name, "platform": os.uname().machine, "os_type": "linux",
            **found.connector,
        }
        if self._declared is None:               # once: files that change while a daemon runs would take servers' claims away
            self._declared = provider_config.read(conf.compute.provider_config_location, uuid=self._uuid, node=found.node)
        return replace(
            found, resources={**found.resources, **self._declared.resources},
            traits=tuple(dict.fromkeys((*found.traits, *self._declared.traits))), connector=connector, host=self._host.name, uuid=self._uuid, rpc_version=Build.version,
            reserved_vcpus=conf.reserved_host_cpus, reserved_memory_mb=conf.reserved_host_memory_mb,
            reserved_disk_gb=-(-conf.reserved_host_disk_mb // 1024),
            cpu_allocation_ratio=conf.cpu_allocation_ratio or conf.initial_cpu_allocation_ratio,
            ram_allocation_ratio=conf.ram_allocation_ratio or conf.initial_ram_allocation_ratio,
            disk_allocation_ratio=conf.disk_allocation_ratio or conf.initial_disk_allocation_ratio,
        )

    def register(self, ctxt: RequestContext) -> None:
        """Introduce this host to the conductor. Raises Unavailable when none answers."""
        inventory = self.collect()
        self._host.reports.register(ctxt, inventory=inventory, binary=BINARY)
        with self._lock:
            self._told, self._told_usage, self._used_changed = inventory, None, True
        self._host.set_registered()
        self.report_usage()

    def report_changes(self) -> None:
        """Report inventory and usage when they are not what was last told; called now and then."""
        if not self._host.registered:
            return
        inventory = self.collect()
        with self._lock:
            changed, self._told = inventory != self._told, inventory
            self._used_changed = True            # what others do on this host changes it too
        if changed:
            LOG.info("The inventory of this host changed: %d VCPU, %d MiB, %d GiB", inventory.vcpus, inventory.memory_mb, inventory.local_gb)
            self._host.reporter.state("inventory", lambda ctxt: self._host.reports.inventory(ctxt, inventory=inventory))
        self.report_usage()

    def report_usage(self) -> None:
        """Report usage when an order or time may have changed it and it is indeed another. The clock in it does not count."""
        with self._lock:
            if not self._used_changed or self._told is None:
                return
            self._used_changed = False
            usage = replace(self._host.driver.usage(), metrics=self._monitors.measure())
            if self._told_usage is not None and replace(usage, uptime="") == replace(self._told_usage, uptime=""):
                return
            self._told_usage = usage
            host, node = self._told.host, self._told.node
        self._host.reporter.state("usage", lambda ctxt: self._host.reports.usage(ctxt, host=host, node=node, usage=usage))

    def _mark(self) -> None:
        self._used_changed = True


class HostEndpoint(Host):
    """Looks after this host when asked to."""

    def __init__(self, host: ComputeHost, inventory: HostInventory) -> None:
        self._host = host
        self._inventory = inventory

    def refresh(self, ctxt: RequestContext) -> None:
        """Register again: whoever asks knows nothing of this host, or not what it should."""
        self._host.reporter.state("register", self._inventory.register)


def provider_uuid(state_dir: str) -> str:
    """Answer the uuid under which this host's resources are known, made at its first start. Raises Invalid."""
    path = os.path.join(state_dir, "compute_id")
    try:
        with open(path, encoding="ascii") as file:
            return str(uuid_module.UUID(file.read().strip()))
    except FileNotFoundError:
        pass
    except ValueError as error:
        raise Invalid(f"{path} holds no uuid; restore it, or remove it to make this a new host.") from error
    os.makedirs(state_dir, exist_ok=True)
    fresh = str(uuid_module.uuid4())
    with open(f"{path}.new", "w", encoding="ascii") as file:
        file.write(f"{fresh}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)
    return fresh
