"""What all of the fake driver builds on: making, powering and removing guests of the fake hypervisor."""

from __future__ import annotations

import logging
import os
from fnmatch import fnmatchcase

from oslo_config import cfg

from novalike.clock import Clock
from novalike.exception import NotFound
from novalike.objects.block_device import BlockDevice
from novalike.objects.hardware import Hardware
from novalike.objects.host import HostUsage, Inventory
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.states import PowerState
from novalike.rpc import serializer
from novalike.virt.driver import Guest, PowerListener, SpawnRequest
from novalike.virt.fake import hardware
from novalike.virt.fake.faults import Fault, Faults, parse
from novalike.virt.fake.hypervisor import FakeGuest, FakeHypervisor

LOG = logging.getLogger(__name__)

#: What the fake supports truthfully: all of it is bookkeeping.
TRAITS = ("COMPUTE_NODE", "COMPUTE_DEVICE_TAGGING", "COMPUTE_NET_ATTACH_INTERFACE", "COMPUTE_VOLUME_ATTACH_WITH_TAG")


class FakeCore:
    """The base of the driver over a FakeHypervisor.

    Without `hypervisor` it makes its own, kept in `[fake]state_file` when that is set. Faults come from `[fake]fault` and
    from `order_fault`. With all delays 0 no method waits.
    """

    def __init__(self, conf: cfg.ConfigOpts, clock: Clock | None = None, *, hypervisor: FakeHypervisor | None = None) -> None:
        self._conf = conf
        self._options = conf.fake
        self._clock = clock or Clock()
        self._faults = Faults(tuple(parse(text) for text in self._options.fault), self._clock)
        self.hypervisor = hypervisor or FakeHypervisor(self._path(), self._clock)
        self._listener: PowerListener | None = None

    def _path(self) -> str | None:
        if not self._options.state_file:
            return None
        path: str = os.path.join(self._conf.state_path, self._options.state_file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def order_fault(self, fault: Fault) -> None:
        """Add a fault to those of the configuration."""
        self._faults.order(fault)

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def start(self, listener: PowerListener) -> None:
        LOG.warning("This compute host is FAKE: its servers exist as records only and run nothing.")
        self.stop()
        self._listener = listener
        self.hypervisor.listen(listener)

    def stop(self) -> None:
        if self._listener is not None:
            self.hypervisor.ignore(self._listener)
            self._listener = None

    def inventory(self) -> Inventory:
        options = self._options
        return Inventory(
            host=self._conf.host, node=self._conf.host, uuid="", hypervisor_type="fake", hypervisor_version=1000000,
            host_ip=self._conf.my_ip, vcpus=options.vcpus, memory_mb=options.memory_mb, local_gb=options.local_gb,
            cpu_info={
                "arch": options.architecture, "vendor": "fake", "model": "fake", "features": [],
                "topology": {"sockets": 1, "cores": options.vcpus, "threads": 1},
            },
            supported=((options.architecture, "fake", "hvm"), (options.architecture, "fake", "exe")),
            traits=(*TRAITS, *options.traits), cells=hardware.cells(options.numa_cell), devices=hardware.devices(options.pci_device),
        )

    def usage(self) -> HostUsage:
        used = self.hypervisor.usage()
        return HostUsage(
            memory_mb_used=used.memory_mb_used, local_gb_used=used.local_gb_used, running_vms=used.running_vms,
            disk_available_least=self._options.local_gb - used.local_gb_used,
            uptime=f"up {int(self._clock.time() - self.hypervisor.started)} s",
        )

    def spawn(self, request: SpawnRequest) -> str | None:
        instance, hypervisor = request.instance, self.hypervisor
        names = names_of(instance)
        self._faults.strike("spawn", names)
        hypervisor.begin(self._guest(request), self._limits())
        hypervisor.add(instance.uuid, *pieces_of(instance))
        hypervisor.fill(instance.uuid, self._contents(request))
        self._faults.strike("spawn", names, "disks")
        if self._options.spawn_delay:
            self._clock.sleep(self._options.spawn_delay)
        hypervisor.add(instance.uuid, *taps_of(request.vifs))
        self._faults.strike("spawn", names, "taps")
        hypervisor.add(instance.uuid, f"domain:{instance.name}", f"log:{instance.uuid}/console.log")
        self._faults.strike("spawn", names, "domain")
        hypervisor.boot(instance.uuid)
        if request.paused:
            hypervisor.set_power(instance.uuid, PowerState.PAUSED)
        return "/dev/vda"

    def destroy(self, instance_uuid: str, instance_name: str, vifs: tuple[Vif, ...]) -> None:
        guest = self.hypervisor.find(instance_uuid)
        self._faults.strike("destroy", (instance_uuid, instance_name, *_display_names(guest)))
        if guest is not None and self._options.destroy_delay:
            self._clock.sleep(self._options.destroy_delay)
        self.hypervisor.remove(instance_uuid)

    def power_on(self, request: SpawnRequest) -> None:
        instance = request.instance
        guest = self._defined(instance.uuid)
        self._faults.strike("power_on", names_of(instance))
        if guest.power_state == PowerState.RUNNING:
            return
        if self._options.power_delay:
            self._clock.sleep(self._options.power_delay)
        self._start(request)

    def power_off(self, instance_uuid: str, *, timeout: int, retry_interval: int = 10) -> None:
        guest = self._defined(instance_uuid)
        self._faults.strike("power_off", (instance_uuid, guest.name, *_display_names(guest)))
        if guest.power_state == PowerState.SHUTDOWN:
            return
        if timeout > 0 and guest.power_state == PowerState.RUNNING:
            self._shut_down(guest, timeout)
        if self._options.power_delay:
            self._clock.sleep(self._options.power_delay)
        self.hypervisor.set_power(instance_uuid, PowerState.SHUTDOWN)

    def reboot(self, request: SpawnRequest, *, hard: bool, timeout: int) -> None:
        instance = request.instance
        guest = self._defined(instance.uuid)
        self._faults.strike("reboot", names_of(instance))
        if not hard and guest.power_state == PowerState.RUNNING:
            self._shut_down(guest, timeout)
        if self._options.power_delay:
            self._clock.sleep(self._options.power_delay)
        self.hypervisor.set_power(instance.uuid, PowerState.SHUTDOWN)
        self._start(request)

    def power_state(self, instance_uuid: str) -> PowerState:
        guest = self.hypervisor.find(instance_uuid)
        return guest.power_state if guest and guest.defined else PowerState.NOSTATE

    def console_output(self, instance_uuid: str, tail: int | None, limit: int) -> bytes:
        guest = self._defined(instance_uuid)
        self._faults.strike("console_output", (instance_uuid, guest.name, *_display_names(guest)))
        text = self.hypervisor.console(instance_uuid)
        if tail is not None:
            text = "".join(text.splitlines(keepends=True)[-tail:]) if tail > 0 else ""
        output = text.encode()
        return output[-limit:] if limit < len(output) else output

    def guests(self) -> tuple[Guest, ...]:
        return tuple(
            Guest(uuid=guest.uuid, name=guest.name, power_state=guest.power_state)
            for guest in self.hypervisor.guests() if guest.defined
        )

    def leftovers(self, instance_uuid: str) -> tuple[str, ...]:
        guest = self.hypervisor.find(instance_uuid)
        return tuple(guest.pieces) if guest else ()

    def _start(self, request: SpawnRequest) -> None:
        """Give the guest its definition anew, with the ports it has now, and start it."""
        uuid = request.instance.uuid
        old = self._defined(uuid)
        fresh = self._guest(request)
        fresh.pieces = [*(piece for piece in old.pieces if not piece.startswith(("tap:", "memory:"))), *taps_of(request.vifs)]
        self._keep(old, fresh)
        self.hypervisor.begin(fresh)
        self.hypervisor.boot(uuid)

    @staticmethod
    def _keep(old: FakeGuest, fresh: FakeGuest) -> None:
        """Give a fresh definition what outlives it."""
        fresh.boots, fresh.power_state, fresh.disks = old.boots, old.power_state, old.disks
        fresh.beside, fresh.passwords = old.beside, old.passwords

    def _shut_down(self, guest: FakeGuest, timeout: float) -> None:
        """Wait until the guest obeys the request to shut down or is off for another reason, at most `timeout` seconds."""
        needed = timeout if guest.deaf else min(self._options.shutdown_delay, timeout)
        until = self._clock.monotonic() + needed
        while (left := until - self._clock.monotonic()) > 0 and self.power_state(guest.uuid) == PowerState.RUNNING:
            self._clock.sleep(min(left, 0.05))

    def _contents(self, request: SpawnRequest) -> dict[str, str]:
        """Answer what is on a new guest's disks. Raises BuildFailed."""
        return contents(request.instance)

    def _defined(self, uuid: str) -> FakeGuest:
        guest = self.hypervisor.find(uuid)
        if guest is None or not guest.defined:
            raise NotFound(f"Instance {uuid} could not be found.")
        return guest

    def _guest(self, request: SpawnRequest) -> FakeGuest:
        instance = request.instance
        names = names_of(instance)
        return FakeGuest(
            uuid=instance.uuid, name=instance.name,
            deaf=any(fnmatchcase(name, pattern) for pattern in self._options.deaf_guests for name in names),
            facts={
                "uuid": instance.uuid, "display_name": instance.display_name, "hostname": instance.hostname,
                "metadata": dict(instance.metadata), "vcpus": instance.flavor.vcpus, "memory_mb": instance.flavor.memory_mb,
                "disk_gb": instance.flavor.root_gb + instance.flavor.ephemeral_gb, "macs": [vif.mac for vif in request.vifs],
                "hardware": serializer.dump(Hardware, instance.hardware) if instance.hardware is not None else None,
                "volumes": volume_facts(request.block_devices),
                "agent": instance.image_properties.get("hw_qemu_guest_agent", "").lower() in {"yes", "true", "1", "on"},
            },
        )

    def _limits(self) -> dict[str, float] | None:
        """Answer what all guests together may use when `strict`; nothing upstream should ever let it come to that."""
        if not self._options.strict:
            return None
        return {
            "vcpus": self._options.vcpus * _ratio(self._conf, "cpu"),
            "memory_mb": self._options.memory_mb * _ratio(self._conf, "ram"),
            "disk_gb": self._options.local_gb * _ratio(self._conf, "disk"),
        }


def _ratio(conf: cfg.ConfigOpts, what: str) -> float:
    return float(conf[f"{what}_allocation_ratio"] or conf[f"initial_{what}_allocation_ratio"])


def names_of(instance: Instance) -> tuple[str, ...]:
    """Answer what faults may call a server."""
    return instance.display_name, instance.uuid, instance.name


def _display_names(guest: FakeGuest | None) -> tuple[str, ...]:
    return (str(guest.facts["display_name"]),) if guest else ()


def contents(instance: Instance) -> dict[str, str]:
    """Answer a new server's disks by file name, and what is on them: the root disk holds its image, the others nothing."""
    disks = {"disk": f"image {instance.image_ref}\n"}
    if instance.flavor.ephemeral_gb:
        disks["disk.eph0"] = ""
    if instance.flavor.swap_mb:
        disks["disk.swap"] = ""
    if instance.config_drive:
        disks["disk.config"] = ""
    return disks


def pieces_of(instance: Instance, folder: str = "") -> list[str]:
    """Answer the pieces which a new server's disks are; `folder` in the place of its uuid."""
    return [f"disk:{folder or instance.uuid}/{name}" for name in contents(instance)]


def taps_of(vifs: tuple[Vif, ...]) -> list[str]:
    """Answer the pieces which plugged ports are."""
    return [tap_of(vif) for vif in vifs]


def tap_of(vif: Vif) -> str:
    """Answer the name of the piece which a port is."""
    return f"tap:{vif.tap or f'tap{vif.port_id[:11]}'}"


def volume_facts(devices: tuple[BlockDevice, ...]) -> dict[str, dict[str, str | None]]:
    """Answer what a guest knows of its volumes, by the uuid of the block device."""
    return {
        device.uuid: {"volume_id": device.volume_id, "device": (device.device_name or "").removeprefix("/dev/")}
        for device in devices if device.destination_type == "volume"
    }
