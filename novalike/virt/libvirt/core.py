"""What all of the libvirt driver builds on: the host, disks, ports and domains, and making, powering and removing guests."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import metadata as packages
from typing import Any

import libvirt
from oslo_config import cfg

from novalike import metadata
from novalike.clock import Clock
from novalike.exception import BuildFailed, Fenced, NotFound, NovalikeError, Unavailable
from novalike.objects.block_device import BlockDevice
from novalike.objects.host import HostUsage, Inventory
from novalike.objects.network_info import Vif
from novalike.objects.states import PowerState
from novalike.virt.driver import Guest, PowerListener, SpawnRequest
from novalike.virt.libvirt import (
    accelerator,
    configdrive,
    console,
    demands,
    guest,
    hardware,
    inventory,
    secrets,
    volumes,
)
from novalike.virt.libvirt.disks import Disks
from novalike.virt.libvirt.events import PowerEvents
from novalike.virt.libvirt.host import Host
from novalike.virt.libvirt.images import ImageCache
from novalike.virt.libvirt.machine import PCIE_PORTS, Files, HostChoices, cpu, machine
from novalike.virt.libvirt.serial_ports import SerialPorts
from novalike.virt.libvirt.vif import Ports
from novalike.virt.libvirt.xml.graphics import Spice

LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.25
_UNALLOCATED_SECONDS = 60


class LibvirtCore:
    """Guests under libvirt. Everything is made anew from the request, never read back from libvirt."""

    def __init__(self, conf: cfg.ConfigOpts, clock: Clock | None = None) -> None:
        self._conf, self._clock = conf, clock or Clock()
        self._host = Host(conf.libvirt.connection_uri, self._clock, connect_timeout=conf.libvirt.connect_timeout)
        path = os.path.abspath(conf.instances_path)
        cache = conf.image_cache
        self._images = ImageCache(
            os.path.join(path, cache.subdirectory_name), force_raw=conf.force_raw_images, timeout=cache.fetch_timeout,
            clock=self._clock, cafile=cache.cafile,
        )
        cow = conf.libvirt.images_type == "qcow2" or (conf.libvirt.images_type == "default" and conf.use_cow_images)
        self._disks = Disks(path, self._images, cow=cow, ephemeral_format=conf.default_ephemeral_format or "ext4")
        self._ports = Ports(conf.os_vif_ovs)
        serial = conf.serial_console
        self._serial_ports = SerialPorts(serial.proxyclient_address, serial.port_range, self._clock) if serial.enabled else None
        self._events: PowerEvents | None = None
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._chosen: HostChoices | None = None
        self._unallocated = (float("-inf"), 0)           # when computed, bytes

    # ---- the host ---------------------------------------------------------------------------------------------------

    def start(self, listener: PowerListener) -> None:
        self._events = PowerEvents(self._host, listener, lambda uuid: self._busy[uuid] > 0, self._clock)
        self._events.start()
        LOG.info("Guests run as %s on %s", self._choices().type, self._host.uri)

    def stop(self) -> None:
        if self._events is not None:
            self._events.stop()
            self._events = None
        self._host.close()

    def inventory(self) -> Inventory:
        choices, path = self._choices(), self._disks.instances_path
        found = self._host.call(inventory.read, guest_type=choices.type, guest_cpu=cpu(demands.Demands(), choices))
        return Inventory(
            host=self._conf.host, uuid="", host_ip=self._conf.my_ip, local_gb=inventory.local_gb(path),
            connector={"initiator": choices.initiator} if choices.initiator else {},
            reserved_vcpus=self._conf.reserved_host_cpus, reserved_memory_mb=self._conf.reserved_host_memory_mb,
            reserved_disk_gb=-(-self._conf.reserved_host_disk_mb // 1024),
            devices=hardware.devices() if self._conf.pci.device_spec else (), **found,
        )

    def usage(self) -> HostUsage:
        path = self._disks.instances_path
        used, least = inventory.disk_usage(path, self._to_be_allocated())
        return HostUsage(
            memory_mb_used=inventory.memory_used_mb(), local_gb_used=used, disk_available_least=least,
            running_vms=self._host.call(lambda connection: connection.numOfDomains()), uptime=inventory.uptime(),
        )

    def guests(self) -> tuple[Guest, ...]:
        return tuple(Guest(uuid=uuid, name=name, power_state=state) for uuid, name, state in self._host.call(guest.everyone))

    # ---- making and removing ----------------------------------------------------------------------------------------

    def spawn(self, request: SpawnRequest) -> str | None:
        instance = request.instance
        with self._working(instance.uuid), build_failures():
            wanted = demands.of(instance)
            self._host.call(guest.remove, instance.uuid)
            self._disks.make(request, self._config_drive(request, wanted))
            self._ports.plug(instance.uuid, request.vifs)
            xml, root_device = self._xml(request, wanted)
            self._host.call(guest.start_paused if request.paused else guest.restart, instance.uuid, xml)
        return root_device

    def destroy(self, instance_uuid: str, instance_name: str, vifs: tuple[Vif, ...]) -> None:
        with self._working(instance_uuid), failures():
            self._host.call(guest.remove, instance_uuid)
            self._host.call(secrets.forget, instance_uuid)
            self._ports.unplug(vifs)
            self._disks.remove(instance_uuid)

    def leftovers(self, instance_uuid: str, vifs: tuple[Vif, ...] = ()) -> tuple[str, ...]:
        """Answer names of files, taps (of these ports) and domains which still exist."""
        domain = (f"domain:{instance_uuid}",) if self._host.call(guest.power_state, instance_uuid) is not None else ()
        return (*domain, *(f"tap:{tap}" for tap in self._ports.leftovers(vifs)), *self._disks.leftovers(instance_uuid))

    # ---- power ------------------------------------------------------------------------------------------------------

    def power_state(self, instance_uuid: str) -> PowerState:
        with failures():
            return self._host.call(guest.power_state, instance_uuid) or PowerState.NOSTATE

    def power_on(self, request: SpawnRequest) -> None:
        uuid = request.instance.uuid
        with self._working(uuid), failures():
            self._ports.plug(uuid, request.vifs)
            xml, _ = self._xml(request, demands.of(request.instance))
            self._host.call(guest.start_unless_running, uuid, xml)

    def power_off(self, instance_uuid: str, *, timeout: int, retry_interval: int = 10) -> None:
        with self._working(instance_uuid), failures():
            state = self._host.call(guest.power_state, instance_uuid)
            if state is None:
                raise NotFound("There is no such server on this host.")
            if state is PowerState.RUNNING and timeout > 0 and self._shut_down(instance_uuid, timeout, retry_interval):
                return
            self._host.call(guest.cut_power, instance_uuid)

    def reboot(self, request: SpawnRequest, *, hard: bool, timeout: int) -> None:
        uuid = request.instance.uuid
        with self._working(uuid), failures():
            xml, _ = self._xml(request, demands.of(request.instance))
            self._ports.plug(uuid, request.vifs)
            running = self._host.call(guest.power_state, uuid) is PowerState.RUNNING
            if not hard and running and self._shut_down(uuid, timeout, timeout + 1):
                self._host.call(guest.start_unless_running, uuid, xml)
                return
            if not hard:
                LOG.info("Server %s did not shut down for a soft reboot; its power is cut", uuid)
            self._host.call(guest.restart, uuid, xml)

    def _shut_down(self, uuid: str, timeout: int, retry_interval: int) -> bool:
        """Ask a running guest to shut down, again every `retry_interval` seconds; answer whether it did in time."""
        now = self._clock.monotonic()
        deadline, ask_at = now + timeout, now
        while now < deadline:
            if now >= ask_at:
                if not self._host.call(guest.ask_to_shut_down, uuid):
                    break
                ask_at += max(1, retry_interval)
            self._clock.sleep(_POLL_SECONDS)
            if self._host.call(guest.power_state, uuid) is not PowerState.RUNNING:
                break
            now = self._clock.monotonic()
        return self._host.call(guest.power_state, uuid) in (PowerState.SHUTDOWN, PowerState.CRASHED)

    # ---- looking ----------------------------------------------------------------------------------------------------

    def console_output(self, instance_uuid: str, tail: int | None, limit: int) -> bytes:
        if not os.path.isdir(self._disks.folder(instance_uuid)):
            raise NotFound("There is no such server on this host.")
        try:
            return console.tail(self._disks.file(instance_uuid, "console.log"), tail, limit)
        except OSError as error:
            raise NovalikeError("The console log could not be read.", details=str(error)) from error

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _files(self, name: str) -> Files:
        """Answer the files in the folder `name`, a server's uuid usually. Raises NotFound."""
        disks = self._disks
        return Files(
            folder=disks.folder(name), disks=disks.existing(name), kernel=os.path.exists(disks.file(name, "kernel")),
            ramdisk=os.path.exists(disks.file(name, "ramdisk")),
        )

    def _xml(
        self, request: SpawnRequest, wanted: demands.Demands, files: Files | None = None,
    ) -> tuple[str, str | None]:
        """Answer the guest's definition and its root device, with these files or its own."""
        files = files or self._files(request.instance.uuid)
        self._log_in(request.instance.uuid, request.block_devices)
        ports = self._serial_ports.take(wanted.serial_ports) if self._serial_ports else ()
        domain, root_device = machine(request, wanted, files, self._choices(), made=self._clock.now(), serial_ports=ports)
        return domain.text(), root_device

    def _log_in(self, instance_uuid: str, devices: Iterable[BlockDevice]) -> None:
        """Let libvirt know the passwords of volumes, which it does not keep over its own restart."""
        for device in devices:
            login = volumes.login(instance_uuid, device) if device.destination_type == "volume" else None
            if login is not None:
                self._host.call(secrets.ensure, login)

    def _config_drive(self, request: SpawnRequest, wanted: demands.Demands, *, needed: bool = False) -> bytes | None:
        """Answer the config drive's bytes, or None for a server which needs none, unless it is `needed` anyway.

        Files and a password can reach a guest only this way here, so they bring a config drive with them.
        """
        if not (needed or request.instance.config_drive or wanted.config_drive or self._conf.force_config_drive or request.files):
            return None
        options = self._conf.api
        static = configdrive.vendor_data(options.vendordata_jsonfile_path if "StaticJSON" in options.vendordata_providers else None)
        return configdrive.image(metadata.config_drive_tree(metadata.Facts(
            instance=request.instance, vifs=request.vifs, block_devices=request.block_devices, files=request.files,
            admin_password=request.admin_password, dhcp_domain=self._conf.network.dhcp_domain, random_seed=os.urandom(512),
            vendor_data=static,
        )))

    def _choices(self) -> HostChoices:
        """Answer what this host's configuration decides; the KVM probe runs at the first call."""
        with self._lock:
            if self._chosen is None:
                options, kind = self._conf.libvirt, self._guest_type()
                sets = self._conf.compute
                self._chosen = HostChoices(
                    type=kind, uefi=self._host.call(inventory.has_uefi, guest_type=kind), architecture=os.uname().machine,
                    version=packages.version("novalike"),
                    machine_types=dict(entry.split("=", 1) for entry in options.hw_machine_type if "=" in entry),
                    cpu_mode=options.cpu_mode, cpu_models=tuple(options.cpu_models), cpu_flags=tuple(options.cpu_model_extra_flags),
                    tb_cache_mb=options.tb_cache_size, disk_cache=self._disk_cache(), disk_discard=options.hw_disk_discard or "unmap",
                    disk_prefix=options.disk_prefix, rng_source=options.rng_dev_path, stats_period=options.mem_stats_period_seconds,
                    serial=_serial(options.sysinfo_serial), pointer_model=self._conf.pointer_model, pcie_ports=options.num_pcie_ports or PCIE_PORTS, initiator=inventory.initiator(),
                    vnc_listen=self._conf.vnc.server_listen if self._conf.vnc.enabled else None,
                    floating=hardware.floating(self._host.call(inventory.cells), sets.cpu_shared_set, sets.cpu_dedicated_set),
                    spice=_spice(self._conf.spice), serial_listen=self._conf.serial_console.proxyclient_address,
                )
        return self._chosen

    def _guest_type(self) -> str:
        wanted: str = self._conf.libvirt.virt_type
        if wanted != "auto":
            return wanted
        version = self._host.call(lambda connection: connection.getVersion())
        works = accelerator.kvm_works(state_file=os.path.join(self._conf.state_path, "kvm-probe.json"), qemu_version=version)
        return "kvm" if works else "qemu"

    def _disk_cache(self) -> str:
        modes = dict(entry.split("=", 1) for entry in self._conf.libvirt.disk_cachemodes if "=" in entry)
        return modes.get("file") or ("none" if self._disks.direct_io else "writeback")

    def _to_be_allocated(self) -> int:
        """Answer Disks.unallocated, counted at most once a minute: it costs a stat per disk."""
        now = self._clock.monotonic()
        if now - self._unallocated[0] >= _UNALLOCATED_SECONDS:
            self._unallocated = (now, self._disks.unallocated())
        return self._unallocated[1]

    @contextlib.contextmanager
    def _working(self, uuid: str) -> Iterator[None]:
        """Keep what happens to the guest from being told as news while the driver works on it."""
        self._busy[uuid] += 1
        try:
            yield
        finally:
            self._busy[uuid] -= 1
            if not self._busy[uuid]:
                del self._busy[uuid]


def _spice(options: Any) -> Spice | None:
    if not options.enabled:
        return None
    playback = options.playback_compression
    compression = (
        ("image", options.image_compression), ("jpeg", options.jpeg_compression), ("zlib", options.zlib_compression),
        ("playback", None if playback is None else "on" if playback else "off"), ("streaming", options.streaming_mode),
    )
    return Spice(
        listen=options.server_listen, agent=options.agent_enabled, secure=options.require_secure,
        compression=tuple((name, value) for name, value in compression if value),
    )


def _serial(choice: str) -> str | None:
    if choice == "unique":
        return None
    if choice == "none":
        return ""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn libvirt's errors into ours; its texts name paths and hosts and are for operators only."""
    try:
        yield
    except libvirt.libvirtError as error:
        raise NovalikeError("The hypervisor refused the operation.", details=str(error)) from error


@contextlib.contextmanager
def build_failures() -> Iterator[None]:
    """Let nothing but BuildFailed out of a build, and Fenced for one that is not wanted any more."""
    try:
        yield
    except (BuildFailed, Fenced):
        raise
    except libvirt.libvirtError as error:
        LOG.warning("libvirt refused a guest: %s", error)
        raise BuildFailed("The hypervisor could not start the server.", details=str(error)) from error
    except (Unavailable, NotFound, NovalikeError) as error:
        raise BuildFailed(str(error), details=error.details) from error
    except OSError as error:
        raise BuildFailed("The server could not be built on this host.", details=str(error)) from error
