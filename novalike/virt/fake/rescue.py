"""Booting fake guests from rescue images."""

from __future__ import annotations

from typing import Any

from novalike.objects.states import PowerState
from novalike.virt.driver import RescueRequest, SpawnRequest
from novalike.virt.fake.core import FakeCore, names_of
from novalike.virt.fake.hypervisor import FakeGuest

RESCUE = "rescue"
DISK, CONFIG_DRIVE = "disk.rescue", "disk.config.rescue"


class RescuedGuests(FakeCore):
    """Capability Rescuer."""

    def prepare_rescue(self, request: RescueRequest) -> bool:
        instance = request.guest.instance
        guest = self._defined(instance.uuid)
        self._faults.strike("prepare_rescue", names_of(instance))
        prepared: dict[str, Any] = guest.beside.get(RESCUE, {})
        if prepared.get("attempt") == request.attempt:
            return bool(prepared["booted"]) and guest.power_state == PowerState.RUNNING
        if prepared.get("booted"):               # another rescue, which was given up without a word from here
            self.hypervisor.set_power(instance.uuid, PowerState.SHUTDOWN)
        disks = {**_own(guest), DISK: f"image {request.image.image_id}\n"}
        if request.admin_password or instance.config_drive:
            disks[CONFIG_DRIVE] = ""
        boot_files = [f"{name}.rescue" for name in ("kernel", "ramdisk") if getattr(request, name) is not None]
        made = [*(name for name in disks if name in (DISK, CONFIG_DRIVE)), *boot_files]
        self.hypervisor.amend(
            instance.uuid, disks=disks, pieces=[*_own_pieces(guest), *(f"rescue:{instance.uuid}/{name}" for name in made)],
            beside={**guest.beside, RESCUE: {"attempt": request.attempt, "booted": False}}, boots_from=list(_own(guest)),
        )
        self._faults.strike("prepare_rescue", names_of(instance), "disks")
        return False

    def rescue(self, request: RescueRequest) -> None:
        instance = request.guest.instance
        self._faults.strike("rescue", names_of(instance))
        guest = self._defined(instance.uuid)
        prepared: dict[str, Any] = guest.beside[RESCUE]
        own = [name for name in guest.disks if name not in (DISK, CONFIG_DRIVE)]
        config = [CONFIG_DRIVE] if CONFIG_DRIVE in guest.disks else []
        stable = "hw_rescue_device" in request.properties or "hw_rescue_bus" in request.properties
        seen = [*own, *config, DISK] if stable else [DISK, own[0], *config]
        self.hypervisor.amend(
            instance.uuid, boots_from=seen, beside={**guest.beside, RESCUE: {**prepared, "booted": True}},
            power_state=PowerState.SHUTDOWN,
        )
        self.hypervisor.boot(instance.uuid)
        self._faults.strike("rescue", names_of(instance), "domain")

    def unrescue(self, request: SpawnRequest, *, start: bool) -> None:
        instance = request.instance
        guest = self._defined(instance.uuid)
        self._faults.strike("unrescue", names_of(instance))
        rescued = guest.beside.get(RESCUE, {}).get("booted", False)
        beside = {name: value for name, value in guest.beside.items() if name != RESCUE}
        power = PowerState.SHUTDOWN if rescued else guest.power_state
        self.hypervisor.amend(
            instance.uuid, disks=_own(guest), pieces=_own_pieces(guest), beside=beside, boots_from=[], power_state=power,
        )
        if start and self.power_state(instance.uuid) != PowerState.RUNNING:
            self._start(request)


def _own(guest: FakeGuest) -> dict[str, str]:
    return {name: content for name, content in guest.disks.items() if name not in (DISK, CONFIG_DRIVE)}


def _own_pieces(guest: FakeGuest) -> list[str]:
    return [piece for piece in guest.pieces if not piece.startswith("rescue:")]
