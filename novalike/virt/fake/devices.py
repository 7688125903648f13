"""Plugging ports and volumes into fake guests, and counting what such guests would do."""

from __future__ import annotations

from novalike.exception import Conflict, NovalikeError
from novalike.objects.block_device import BlockDevice
from novalike.objects.diagnostics import CpuDiagnostics, Diagnostics, DiskDiagnostics, NicDiagnostics
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.states import PowerState
from novalike.virt.fake.core import FakeCore, names_of, tap_of, volume_facts
from novalike.virt.fake.hypervisor import FakeGuest

_ON = (PowerState.RUNNING, PowerState.PAUSED)
#: What a fake guest does in a second.
_CPU_NANOSECONDS, _PACKETS, _REQUESTS, _BYTES = 20_000_000, 10, 5, 4096


class DeviceGuests(FakeCore):
    """Capabilities PluggableInterfaces, PluggableVolumes and Diagnosing. Devices are facts of a guest: `macs` and `volumes`."""

    def attach_interface(self, instance: Instance, vif: Vif) -> None:
        guest = self._running("attach_interface", instance)
        if guest is not None and vif.mac not in guest.facts["macs"]:
            self.hypervisor.learn(guest.uuid, macs=[*guest.facts["macs"], vif.mac])
            self.hypervisor.add(guest.uuid, tap_of(vif))

    def detach_interface(self, instance: Instance, vif: Vif) -> None:
        guest = self._running("detach_interface", instance)
        if guest is not None and vif.mac in guest.facts["macs"]:
            _must_hear(guest)
            self.hypervisor.learn(guest.uuid, macs=[mac for mac in guest.facts["macs"] if mac != vif.mac])
            self.hypervisor.drop(guest.uuid, tap_of(vif))

    def attach_volume(self, instance: Instance, device: BlockDevice) -> None:
        guest = self._running("attach_volume", instance)
        if guest is not None:
            if device.connection is None:
                raise NovalikeError("The volume's connection is not known.")
            self.hypervisor.learn(guest.uuid, volumes={**guest.facts["volumes"], **volume_facts((device,))})

    def detach_volume(self, instance: Instance, device: BlockDevice) -> None:
        guest = self._running("detach_volume", instance)
        if guest is not None and device.uuid in guest.facts["volumes"]:
            _must_hear(guest)
            kept = {key: facts for key, facts in guest.facts["volumes"].items() if key != device.uuid}
            self.hypervisor.learn(guest.uuid, volumes=kept)

    def swap_volume(self, instance: Instance, device: BlockDevice, replacement: BlockDevice) -> None:
        guest = self._running("swap_volume", instance)
        if guest is None or device.uuid not in guest.facts["volumes"]:
            raise Conflict("The server does not run, or has no such volume.")
        self.hypervisor.learn(guest.uuid, volumes={**guest.facts["volumes"], **volume_facts((replacement,))})

    def diagnostics(self, instance: Instance) -> Diagnostics:
        guest = self._running("diagnostics", instance)
        if guest is None:
            raise Conflict("The server does not run.")
        seconds = int(self._clock.time() - guest.boots[-1]) if guest.boots else 0
        vcpus, memory = int(guest.facts["vcpus"]), int(guest.facts["memory_mb"])
        disks, macs = ["vda", *sorted(facts["device"] for facts in guest.facts["volumes"].values())], guest.facts["macs"]
        free_form = {f"cpu{number}_time": seconds * _CPU_NANOSECONDS for number in range(vcpus)}
        for disk in disks:
            free_form |= {
                f"{disk}_errors": 0, f"{disk}_read": seconds * _BYTES, f"{disk}_read_req": seconds * _REQUESTS,
                f"{disk}_write": seconds * _BYTES, f"{disk}_write_req": seconds * _REQUESTS,
            }
        free_form |= {"memory": memory * 1024, "memory-actual": memory * 1024, "memory-rss": memory * 1024}
        return Diagnostics(
            state="paused" if guest.power_state == PowerState.PAUSED else "running", driver="libvirt", hypervisor="fake",   # the API names no other driver which this one could be
            hypervisor_os="fake", uptime=seconds, config_drive=instance.config_drive, memory_maximum=memory, memory_used=memory,
            cpus=tuple(CpuDiagnostics(id=number, time=seconds * _CPU_NANOSECONDS, utilisation=2) for number in range(vcpus)),
            nics=tuple(NicDiagnostics(
                mac_address=mac, rx_octets=seconds * _BYTES, rx_packets=seconds * _PACKETS, rx_errors=0, rx_drop=0, rx_rate=_BYTES,
                tx_octets=seconds * _BYTES, tx_packets=seconds * _PACKETS, tx_errors=0, tx_drop=0, tx_rate=_BYTES,
            ) for mac in macs),
            disks=tuple(DiskDiagnostics(
                read_bytes=seconds * _BYTES, read_requests=seconds * _REQUESTS, write_bytes=seconds * _BYTES,
                write_requests=seconds * _REQUESTS, errors_count=0,
            ) for _ in disks),
            free_form=free_form,
        )

    def _running(self, operation: str, instance: Instance) -> FakeGuest | None:
        """Answer the guest after whatever faults are ordered; None when it does not run."""
        guest = self._defined(instance.uuid)
        self._faults.strike(operation, names_of(instance))
        return guest if guest.power_state in _ON else None


def _must_hear(guest: FakeGuest) -> None:
    if guest.power_state == PowerState.PAUSED:
        raise NovalikeError("The server is paused: its guest cannot let go of a device.")
