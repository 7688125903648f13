"""Plugging ports and volumes into guests which run, and counting what guests do."""

from __future__ import annotations

from novalike.exception import Conflict, NovalikeError
from novalike.objects.block_device import BlockDevice
from novalike.objects.diagnostics import Diagnostics
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.states import PowerState
from novalike.virt.libvirt import demands, diagnostics, guest, machine, plugging, secrets, volumes
from novalike.virt.libvirt.core import LibvirtCore, failures
from novalike.virt.libvirt.xml.element import render
from novalike.virt.libvirt.xml.volume import VolumeDisk

#: Seconds between two looks at whether a guest let go of a device, and at how far a copy is.
_LOOK, _LOOK_AT_COPY = 0.1, 0.5


class DeviceGuests(LibvirtCore):
    """Capabilities PluggableInterfaces, PluggableVolumes and Diagnosing."""

    def attach_interface(self, instance: Instance, vif: Vif) -> None:
        with self._working(instance.uuid), failures():
            if not self._is_on(instance.uuid):
                return
            self._ports.plug(instance.uuid, (vif,))
            interface = machine.interface(vif, demands.of(instance))
            self._host.call(plugging.attach, instance.uuid, interface.alias, render(interface.xml()))

    def detach_interface(self, instance: Instance, vif: Vif) -> None:
        with self._working(instance.uuid), failures():
            self._let_go(instance.uuid, machine.alias(vif))
            self._ports.unplug((vif,))

    def attach_volume(self, instance: Instance, device: BlockDevice) -> None:
        uuid = instance.uuid
        with self._working(uuid), failures():
            if not self._is_on(uuid) or self._host.call(plugging.is_there, uuid, volumes.alias(device)):
                return
            self._log_in(uuid, (device,))
            disk = self._volume(instance, device, used=self._host.call(plugging.targets, uuid))
            self._host.call(plugging.attach, uuid, disk.alias, render(disk.xml()))

    def detach_volume(self, instance: Instance, device: BlockDevice) -> None:
        with self._working(instance.uuid), failures():
            self._let_go(instance.uuid, volumes.alias(device))
            self._host.call(secrets.forget, f"{instance.uuid}/{device.volume_id}")

    def swap_volume(self, instance: Instance, device: BlockDevice, replacement: BlockDevice) -> None:
        uuid = instance.uuid
        with self._working(uuid), failures():
            disk = self._volume(instance, replacement, used=set())
            source, text = render(disk.source.xml()), render(disk.xml())
            there = self._host.call(plugging.works_on, uuid, disk.alias, source)
            if there is None:
                raise Conflict("The server does not run, or has no such volume.")
            if there:
                self._host.call(plugging.give_up_copy, uuid, disk.alias)
                return
            self._log_in(uuid, (replacement,))
            if self._host.call(plugging.begin_copy, uuid, disk.alias, text):
                while not self._host.call(plugging.end_copy, uuid, disk.alias):
                    self._clock.sleep(_LOOK_AT_COPY)
            self._host.call(plugging.redefine, uuid, disk.alias, text)
            self._host.call(secrets.forget, f"{uuid}/{device.volume_id}")

    def diagnostics(self, instance: Instance) -> Diagnostics:
        with failures():
            statistics = self._host.call(plugging.statistics, instance.uuid)
        if statistics is None:
            raise Conflict("The server does not run.")
        uptime = int((self._clock.now() - instance.launched_at).total_seconds()) if instance.launched_at else None
        return diagnostics.read(statistics, instance, hypervisor=self._choices().type, uptime=uptime)

    def _is_on(self, uuid: str) -> bool:
        return self._host.call(guest.power_state, uuid) in (PowerState.RUNNING, PowerState.PAUSED)

    def _volume(self, instance: Instance, device: BlockDevice, *, used: set[str]) -> VolumeDisk:
        bus = demands.of(instance).disk_bus
        target = machine.volume_target(device, bus, self._choices().disk_prefix, used)
        return volumes.disk(instance.uuid, device, target=target, bus=bus, initiator=self._choices().initiator)

    def _let_go(self, uuid: str, alias: str) -> None:
        """Have a guest let go of a device, asking again and again: one that boots does not listen yet. Raises NovalikeError."""
        options = self._conf.libvirt
        if self._host.call(guest.power_state, uuid) is PowerState.PAUSED and self._host.call(plugging.is_there, uuid, alias):
            raise NovalikeError("The server is paused: its guest cannot let go of a device.")
        for _ in range(options.device_detach_attempts):
            if self._host.call(plugging.ask_to_let_go, uuid, alias):
                return
            until = self._clock.monotonic() + options.device_detach_timeout
            while self._clock.monotonic() < until:
                self._clock.sleep(_LOOK)
                if not self._host.call(plugging.is_there, uuid, alias):
                    return
        raise NovalikeError("The server's guest does not let go of the device.")


