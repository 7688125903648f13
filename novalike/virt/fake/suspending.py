"""Pausing and suspending fake guests, and making them crash."""

from __future__ import annotations

from novalike.exception import Conflict
from novalike.objects.states import PowerState
from novalike.virt.driver import SpawnRequest
from novalike.virt.fake.core import FakeCore
from novalike.virt.fake.hypervisor import FakeGuest


class SuspendingGuests(FakeCore):
    """Capabilities Suspending and CrashDumps. A guest's saved memory is a piece of it, and its boots are not counted anew."""

    def pause(self, instance_uuid: str) -> None:
        guest = self._struck("pause", instance_uuid)
        if guest.power_state == PowerState.RUNNING:
            self.hypervisor.set_power(instance_uuid, PowerState.PAUSED)

    def unpause(self, instance_uuid: str) -> None:
        guest = self._struck("unpause", instance_uuid)
        if guest.power_state == PowerState.PAUSED:
            self.hypervisor.set_power(instance_uuid, PowerState.RUNNING)

    def suspend(self, instance_uuid: str) -> None:
        guest = self._struck("suspend", instance_uuid)
        if guest.power_state in (PowerState.RUNNING, PowerState.PAUSED):
            self.hypervisor.add(instance_uuid, _memory(guest))
            self.hypervisor.set_power(instance_uuid, PowerState.SHUTDOWN)

    def resume(self, request: SpawnRequest) -> None:
        guest = self._struck("resume", request.instance.uuid)
        if guest.power_state == PowerState.RUNNING:
            return
        if _memory(guest) in guest.pieces:
            self.hypervisor.drop(guest.uuid, _memory(guest))
            self.hypervisor.set_power(guest.uuid, PowerState.RUNNING)
        else:
            self._start(request)

    def inject_nmi(self, instance_uuid: str) -> None:
        guest = self._struck("inject_nmi", instance_uuid)
        if guest.power_state not in (PowerState.RUNNING, PowerState.PAUSED):
            raise Conflict("The server does not run.")
        self.hypervisor.guest_prints(instance_uuid, "Uhhuh. NMI received. Dumping memory.\n")

    def _struck(self, operation: str, uuid: str) -> FakeGuest:
        """Answer the guest, after whatever faults are ordered for the operation."""
        guest = self._defined(uuid)
        self._faults.strike(operation, (uuid, guest.name, str(guest.facts["display_name"])))
        if self._options.power_delay:
            self._clock.sleep(self._options.power_delay)
        return guest


def _memory(guest: FakeGuest) -> str:
    return f"memory:{guest.uuid}/save"
