"""Guests which move: what is put aside of them keeps their disks, and an offer is what is on those."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from novalike.exception import BuildFailed, NotFound
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState
from novalike.virt.driver import SpawnRequest
from novalike.virt.fake.core import FakeCore, contents, names_of, pieces_of, taps_of


class MovedGuests(FakeCore):
    """Movable."""

    def move_out(
        self, instance: Instance, *, timeout: int, retry_interval: int = 10, ticket: Secret | None = None, ticket_seconds: int = 0,
    ) -> str:
        uuid, hypervisor = instance.uuid, self.hypervisor
        self._faults.strike("move_out", names_of(instance))
        if hypervisor.find(_aside(uuid)) is None:
            self.power_off(uuid, timeout=timeout, retry_interval=retry_interval)
            guest = self._defined(uuid)
            hypervisor.drop(uuid, *(piece for piece in guest.pieces if not piece.startswith("disk:")))
            hypervisor.rename(uuid, _aside(uuid))
        return json.dumps({"disks": hypervisor.guest(_aside(uuid)).disks, "for": _whom(ticket)})

    def fetch(
        self, request: SpawnRequest, offer: str, *, ticket: Secret | None, local: bool, go_on: Callable[[], None],
    ) -> None:
        instance, hypervisor = request.instance, self.hypervisor
        self._faults.strike("fetch", names_of(instance))
        if not local and (ticket is None or json.loads(offer)["for"] != _whom(ticket)):
            raise BuildFailed("The server's host does not hand out its disks.")
        made = hypervisor.find(instance.uuid)
        if made is not None and made.defined:
            return                               # it has arrived: a late order
        go_on()
        hypervisor.begin(self._guest(request), self._limits())
        hypervisor.add(instance.uuid, *pieces_of(instance))
        kept = {name: text for name, text in json.loads(offer)["disks"].items() if name != "disk.swap"}
        hypervisor.fill(instance.uuid, {name: kept.get(name, text) for name, text in contents(instance).items()})

    def arrive(self, request: SpawnRequest, *, power_on: bool) -> None:
        instance, hypervisor = request.instance, self.hypervisor
        self._faults.strike("arrive", names_of(instance))
        guest = hypervisor.find(instance.uuid)
        if guest is None:
            raise BuildFailed("The server's disks are not on this host.")
        self._define(request)
        if not power_on:
            hypervisor.set_power(instance.uuid, PowerState.SHUTDOWN)
        elif guest.power_state != PowerState.RUNNING:
            hypervisor.boot(instance.uuid)

    def put_back(self, request: SpawnRequest, *, power_on: bool) -> None:
        uuid = request.instance.uuid
        self._faults.strike("put_back", names_of(request.instance))
        if self.hypervisor.find(_aside(uuid)) is not None:
            self._take_back(request)
        guest = self._defined(uuid)
        if power_on and guest.power_state != PowerState.RUNNING:
            self._start(request)

    def drop_aside(self, instance_uuid: str) -> None:
        self._faults.strike("drop_aside", (instance_uuid,))
        self.hypervisor.remove(_aside(instance_uuid))

    # ---- what the core does differently for guests which may be aside

    def power_on(self, request: SpawnRequest) -> None:
        self._settle(request)
        super().power_on(request)

    def reboot(self, request: SpawnRequest, *, hard: bool, timeout: int) -> None:
        self._settle(request)
        super().reboot(request, hard=hard, timeout=timeout)

    def destroy(self, instance_uuid: str, instance_name: str, vifs: tuple[Vif, ...]) -> None:
        super().destroy(instance_uuid, instance_name, vifs)
        self.hypervisor.remove(_aside(instance_uuid))

    def leftovers(self, instance_uuid: str) -> tuple[str, ...]:
        aside = self.hypervisor.find(_aside(instance_uuid))
        return (*super().leftovers(instance_uuid), *(aside.pieces if aside else ()))

    def _settle(self, request: SpawnRequest) -> None:
        """Take back a guest of which all is aside: a move was given up while nobody could tell this host."""
        uuid = request.instance.uuid
        if self.hypervisor.find(uuid) is None and self.hypervisor.find(_aside(uuid)) is not None:
            self._take_back(request)

    def _take_back(self, request: SpawnRequest) -> None:
        uuid = request.instance.uuid
        self.hypervisor.rename(_aside(uuid), uuid)
        self._define(request)
        self.hypervisor.set_power(uuid, PowerState.SHUTDOWN)

    def _define(self, request: SpawnRequest) -> None:
        """Make what a guest has besides its disks."""
        uuid, hypervisor = request.instance.uuid, self.hypervisor
        guest = hypervisor.find(uuid)
        if guest is None:
            raise NotFound(f"Instance {uuid} could not be found.")
        hypervisor.drop(uuid, *(piece for piece in guest.pieces if not piece.startswith("disk:")))
        hypervisor.add(uuid, *taps_of(request.vifs), f"domain:{request.instance.name}", f"log:{uuid}/console.log")


def _aside(uuid: str) -> str:
    return f"{uuid}_resize"


def _whom(ticket: Secret | None) -> str | None:
    """Answer who may have the disks of an offer: whoever holds the ticket with this hash."""
    return hashlib.sha256(ticket.reveal().encode()).hexdigest() if ticket is not None else None
