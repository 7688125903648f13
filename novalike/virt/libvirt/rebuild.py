"""New disks for guests."""

from __future__ import annotations

import os

from novalike.exception import NovalikeError
from novalike.virt.driver import SpawnRequest
from novalike.virt.libvirt import demands, guest
from novalike.virt.libvirt.core import LibvirtCore, build_failures, failures
from novalike.virt.libvirt.machine import machine


class RebuiltGuests(LibvirtCore):
    """Capability Rebuilder."""

    def prepare_rebuild(self, request: SpawnRequest, *, attempt: str, preserve_ephemeral: bool) -> None:
        if preserve_ephemeral:
            raise NovalikeError("The current driver does not support preserving ephemeral partitions.")
        with build_failures():
            wanted = demands.of(request.instance)
            folder = self._disks.prepare(request, self._config_drive(request, wanted), attempt)
            # What no machine can be made of must not come out when the old disks are gone.
            machine(request, wanted, self._files(os.path.basename(folder)), self._choices(), made=self._clock.now())

    def replace_disks(self, instance_uuid: str, *, attempt: str) -> None:
        with self._working(instance_uuid), build_failures():
            self._host.call(guest.cut_power, instance_uuid)
            self._disks.replace(instance_uuid, attempt)
            # Its firmware's memory tells of the old disks, and so does the saved memory of a suspended guest.
            self._host.call(guest.remove, instance_uuid)

    def start_rebuilt(self, request: SpawnRequest, *, start: bool) -> str | None:
        uuid = request.instance.uuid
        with self._working(uuid), failures():
            if start:
                self._ports.plug(uuid, request.vifs)
            xml, root_device = self._xml(request, demands.of(request.instance))
            self._host.call(guest.start_unless_running if start else guest.define, uuid, xml)
        return root_device

    def abandon_rebuild(self, instance_uuid: str, *, attempt: str) -> bool:
        with self._working(instance_uuid), failures():
            return self._disks.abandon(instance_uuid, attempt)
