"""Pausing and suspending guests, and making them crash."""

from __future__ import annotations

from collections.abc import Callable

from novalike.exception import Conflict, NotFound
from novalike.objects.states import PowerState
from novalike.virt.driver import SpawnRequest
from novalike.virt.libvirt import demands, guest
from novalike.virt.libvirt.core import LibvirtCore, failures


class SuspendingGuests(LibvirtCore):
    """Capabilities Suspending and CrashDumps."""

    def pause(self, instance_uuid: str) -> None:
        self._known(guest.pause, instance_uuid)

    def unpause(self, instance_uuid: str) -> None:
        self._known(guest.unpause, instance_uuid)

    def suspend(self, instance_uuid: str) -> None:
        self._known(guest.save, instance_uuid)

    def resume(self, request: SpawnRequest) -> None:
        uuid = request.instance.uuid
        with self._working(uuid), failures():
            self._ports.plug(uuid, request.vifs)
            xml, _ = self._xml(request, demands.of(request.instance))
            self._host.call(guest.restore, uuid, xml)

    def inject_nmi(self, instance_uuid: str) -> None:
        if self.power_state(instance_uuid) not in (PowerState.RUNNING, PowerState.PAUSED):
            raise Conflict("The server does not run.")
        self._known(guest.inject_nmi, instance_uuid)

    def _known(self, function: Callable[..., bool], uuid: str) -> None:
        with self._working(uuid), failures():
            if not self._host.call(function, uuid):
                raise NotFound("There is no such server on this host.")
