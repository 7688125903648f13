"""What a driver must do which moves guests.

Beside what DriverFixtures wants, the subclass gives `other` (a fixture: the started driver of another host), `mark(driver, server)`,
which writes something to the root disk of a guest that is off, `is_marked(driver, server)`, and `size_of(driver, server)`: memory
in MiB and root disk in GiB, as the hypervisor knows them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from novalike.exception import BuildFailed, Fenced, NotFound
from novalike.objects.instance import Instance
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState
from novalike.virt.driver import Movable, SpawnRequest
from tests.laws.driver_contract import DriverFixtures

TICKET = Secret("a ticket")


def go_on() -> None:
    """The work is wanted."""


class MovesContract(DriverFixtures):
    def mark(self, driver: Any, server: Instance) -> None:
        raise NotImplementedError

    def is_marked(self, driver: Any, server: Instance) -> bool:
        raise NotImplementedError

    def size_of(self, driver: Any, server: Instance) -> tuple[int, int]:
        raise NotImplementedError

    @pytest.fixture
    def marked(self, started, server, request_) -> Any:
        """The driver, with the guest running and something on its disk."""
        started.spawn(request_)
        started.power_off(server.uuid, timeout=0)
        self.mark(started, server)
        started.power_on(request_)
        return started

    @pytest.fixture
    def larger(self, request_) -> SpawnRequest:
        """The same server in another size, as a move is ordered: without its image."""
        old = request_.instance.flavor
        flavor = replace(old, flavorid="large", name="large", memory_mb=old.memory_mb + 64, root_gb=old.root_gb + 1, swap_mb=8)
        return replace(request_, instance=replace(request_.instance, flavor=flavor), image=None, kernel=None, ramdisk=None)

    def out(self, driver: Any, request: SpawnRequest, **options: Any) -> str:
        return driver.move_out(request.instance, timeout=0, **options)

    def fetch(self, driver: Any, request: SpawnRequest, offer: str, *, ticket: Secret | None = None) -> None:
        driver.fetch(replace(request, vifs=()), offer, ticket=ticket, local=ticket is None, go_on=go_on)

    def test_it_says_that_it_can(self, driver):
        assert isinstance(driver, Movable)

    def test_a_guest_grows_where_it_is(self, marked, server, request_, larger):
        offers = {self.out(marked, request_) for _ in range(2)}      # every order may come twice
        assert len(offers) == 1
        assert marked.power_state(server.uuid) is not PowerState.RUNNING
        for _ in range(2):
            self.fetch(marked, larger, *offers)
        for _ in range(2):
            marked.arrive(larger, power_on=True)
        assert marked.power_state(server.uuid) is PowerState.RUNNING
        assert self.size_of(marked, server) == (larger.instance.flavor.memory_mb, larger.instance.flavor.root_gb)
        both = set(marked.leftovers(server.uuid))
        for _ in range(2):
            marked.drop_aside(server.uuid)
        assert set(marked.leftovers(server.uuid)) < both, "what is aside must be known, so that it can be removed"
        assert marked.power_state(server.uuid) is PowerState.RUNNING
        marked.power_off(server.uuid, timeout=0)
        assert self.is_marked(marked, server)

    def test_a_guest_which_was_off_stays_off(self, marked, server, request_, larger):
        marked.power_off(server.uuid, timeout=0)
        self.fetch(marked, larger, self.out(marked, request_))
        marked.arrive(larger, power_on=False)
        assert marked.power_state(server.uuid) is PowerState.SHUTDOWN
        assert self.is_marked(marked, server)

    @pytest.mark.parametrize("stage", ["nothing", "move_out", "fetch", "arrive"])
    def test_it_is_taken_back_at_any_stage(self, marked, server, request_, larger, stage):
        if stage != "nothing":
            offer = self.out(marked, request_)
        if stage in ("fetch", "arrive"):
            self.fetch(marked, larger, offer)
        if stage == "arrive":
            marked.arrive(larger, power_on=True)
        for _ in range(2):
            marked.put_back(request_, power_on=True)
        assert marked.power_state(server.uuid) is PowerState.RUNNING
        flavor = request_.instance.flavor
        assert self.size_of(marked, server) == (flavor.memory_mb, flavor.root_gb)
        marked.power_off(server.uuid, timeout=0)
        assert self.is_marked(marked, server)

    @pytest.mark.parametrize("stage", ["move_out", "fetch", "arrive"])
    def test_destroy_removes_it_at_any_stage(self, marked, server, request_, larger, stage):
        offer = self.out(marked, request_)
        if stage in ("fetch", "arrive"):
            self.fetch(marked, larger, offer)
        if stage == "arrive":
            marked.arrive(larger, power_on=True)
        marked.destroy(server.uuid, server.name, request_.vifs)
        assert marked.leftovers(server.uuid) == ()

    def test_a_guest_whose_move_was_given_up_can_be_started(self, marked, server, request_):
        self.out(marked, request_)
        marked.power_on(request_)
        assert marked.power_state(server.uuid) is PowerState.RUNNING
        marked.power_off(server.uuid, timeout=0)
        assert self.is_marked(marked, server)

    def test_it_arrives_on_another_host(self, marked, other, server, request_, larger):
        offer = self.out(marked, request_, ticket=TICKET, ticket_seconds=60)
        for _ in range(2):
            self.fetch(other, larger, offer, ticket=TICKET)
        other.arrive(larger, power_on=True)
        assert other.power_state(server.uuid) is PowerState.RUNNING
        assert self.size_of(other, server) == (larger.instance.flavor.memory_mb, larger.instance.flavor.root_gb)
        other.power_off(server.uuid, timeout=0)
        assert self.is_marked(other, server)
        other.destroy(server.uuid, server.name, request_.vifs)
        assert other.leftovers(server.uuid) == ()

    def test_a_move_which_is_not_wanted_any_more_ends_and_leaves_nothing(self, marked, other, server, request_, larger):
        offer = self.out(marked, request_, ticket=TICKET, ticket_seconds=60)

        def stop() -> None:
            raise Fenced("deleted")
        with pytest.raises(Fenced):
            other.fetch(replace(larger, vifs=()), offer, ticket=TICKET, local=False, go_on=stop)
        other.destroy(server.uuid, server.name, request_.vifs)
        assert other.leftovers(server.uuid) == ()

    def test_nobody_else_gets_the_disks(self, marked, other, server, request_, larger):
        offer = self.out(marked, request_)
        with pytest.raises(BuildFailed):
            self.fetch(other, larger, offer, ticket=TICKET)
        other.destroy(server.uuid, server.name, request_.vifs)

    def test_an_unknown_guest_is_not_found(self, started, server, request_):
        with pytest.raises(NotFound):
            self.out(started, request_)
        with pytest.raises(NotFound):
            started.put_back(request_, power_on=True)
        started.drop_aside(server.uuid)
