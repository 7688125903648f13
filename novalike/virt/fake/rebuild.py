"""New disks for fake guests."""

from __future__ import annotations

from novalike.exception import NotFound, NovalikeError
from novalike.objects.states import PowerState
from novalike.virt.driver import SpawnRequest
from novalike.virt.fake.core import FakeCore, names_of, pieces_of, taps_of
from novalike.virt.fake.hypervisor import FakeGuest

PREPARED, DONE = "rebuild", "rebuilt"
ROOT_DEVICE = "/dev/vda"


class RebuiltGuests(FakeCore):
    """Capability Rebuilder."""

    def prepare_rebuild(self, request: SpawnRequest, *, attempt: str, preserve_ephemeral: bool) -> None:
        instance = request.instance
        self._faults.strike("prepare_rebuild", names_of(instance))
        if preserve_ephemeral:
            raise NovalikeError("The current driver does not support preserving ephemeral partitions.")
        guest = self.hypervisor.guest(instance.uuid)
        if guest.beside.get(DONE) == attempt:
            return
        if self._options.spawn_delay:
            self._clock.sleep(self._options.spawn_delay)
        self.hypervisor.amend(
            instance.uuid, pieces=[*_without_prepared(guest), *pieces_of(instance, f"{instance.uuid}_new")],
            beside={**guest.beside, PREPARED: {"attempt": attempt, "disks": self._contents(request)}},
        )
        self._faults.strike("prepare_rebuild", names_of(instance), "disks")

    def replace_disks(self, instance_uuid: str, *, attempt: str) -> None:
        guest = self.hypervisor.guest(instance_uuid)
        self._faults.strike("replace_disks", _names(guest))
        if guest.beside.get(DONE) == attempt:
            return
        prepared = guest.beside.get(PREPARED, {})
        if prepared.get("attempt") != attempt:
            raise NotFound("No new disks are prepared for the server.")
        disks = dict(prepared["disks"])
        kept = [piece for piece in _without_prepared(guest) if not piece.startswith(("disk:", "domain:", "memory:"))]
        self.hypervisor.amend(
            instance_uuid, disks=disks, pieces=[*kept, *(f"disk:{instance_uuid}/{name}" for name in disks)], passwords={},
            beside={DONE: attempt}, boots_from=[], power_state=PowerState.NOSTATE,
        )
        self._faults.strike("replace_disks", _names(guest), "disks")

    def start_rebuilt(self, request: SpawnRequest, *, start: bool) -> str | None:
        instance = request.instance
        old = self.hypervisor.guest(instance.uuid)
        self._faults.strike("start_rebuilt", names_of(instance))
        if old.defined and old.power_state == PowerState.RUNNING:
            return ROOT_DEVICE
        fresh = self._guest(request)
        self._keep(old, fresh)
        domain = f"domain:{instance.name}"
        fresh.pieces = [piece for piece in old.pieces if piece != domain and not piece.startswith("tap:")]
        fresh.pieces += [*taps_of(request.vifs), domain]
        fresh.power_state = PowerState.SHUTDOWN
        self.hypervisor.begin(fresh)
        if start:
            self.hypervisor.boot(instance.uuid)
        return ROOT_DEVICE

    def abandon_rebuild(self, instance_uuid: str, *, attempt: str) -> bool:
        guest = self.hypervisor.find(instance_uuid)
        if guest is None:
            return False
        self._faults.strike("abandon_rebuild", _names(guest))
        if guest.beside.get(DONE) == attempt:
            return False
        beside = {name: value for name, value in guest.beside.items() if name != PREPARED}
        self.hypervisor.amend(instance_uuid, pieces=_without_prepared(guest), beside=beside)
        return True


def _without_prepared(guest: FakeGuest) -> list[str]:
    return [piece for piece in guest.pieces if not piece.startswith(f"disk:{guest.uuid}_new/")]


def _names(guest: FakeGuest) -> tuple[str, ...]:
    return guest.uuid, guest.name, str(guest.facts["display_name"])
