"""What a driver must do which rebuilds and rescues guests and sets their passwords.

Beside what DriverFixtures wants, the subclass gives `rescue_request(request, attempt, **properties)`, and for the hypervisor's
own side `disks_seen(driver, server)` (file names, in the guest's order) and `identity(driver, server)`: something which tells
the server's root disk from any other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from novalike.exception import Conflict, NotFound, NovalikeError
from novalike.objects.instance import Instance
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState
from novalike.virt.driver import PasswordSetter, Rebuilder, Rescuer, RescueRequest, SpawnRequest
from tests.laws.driver_contract import DriverFixtures

PASSWORD = Secret("kJ7mQ2xw")


class RebuildContract(DriverFixtures):
    def rescue_request(self, request: SpawnRequest, attempt: str, **properties: str) -> RescueRequest:
        raise NotImplementedError

    def disks_seen(self, driver: Any, server: Instance) -> list[str]:
        raise NotImplementedError

    def identity(self, driver: Any, server: Instance) -> object:
        raise NotImplementedError

    def prepare(self, driver: Any, request: SpawnRequest, attempt: str = "one") -> None:
        driver.prepare_rebuild(request, attempt=attempt, preserve_ephemeral=False)

    @pytest.fixture
    def running(self, started, request_) -> Any:
        """The driver, with the guest running."""
        started.spawn(request_)
        return started

    def test_it_says_that_it_can(self, driver):
        assert isinstance(driver, Rebuilder) and isinstance(driver, Rescuer) and isinstance(driver, PasswordSetter)

    # ---- rebuild

    def test_preparing_touches_nothing(self, running, server, request_):
        before, pieces = self.identity(running, server), set(running.leftovers(server.uuid))
        self.prepare(running, request_)
        assert running.power_state(server.uuid) is PowerState.RUNNING
        assert self.identity(running, server) == before
        assert set(running.leftovers(server.uuid)) > pieces, "what is prepared must be known, so that it can be removed"

    def test_a_rebuilt_guest_has_new_disks_and_nothing_else_more(self, running, server, request_):
        before, pieces = self.identity(running, server), len(running.leftovers(server.uuid))
        for _ in range(2):                               # every order may come twice
            self.prepare(running, request_)
        running.power_off(server.uuid, timeout=0)
        for _ in range(2):
            running.replace_disks(server.uuid, attempt="one")
        for _ in range(2):
            running.start_rebuilt(request_, start=True)
        assert running.power_state(server.uuid) is PowerState.RUNNING
        assert self.identity(running, server) != before
        extra = {"rebuilt-by", "console.log"}
        now = [piece for piece in running.leftovers(server.uuid) if not piece.endswith(tuple(extra))]
        assert len(now) <= pieces, now

    def test_a_rebuild_may_leave_a_guest_off(self, running, server, request_):
        self.prepare(running, request_)
        running.power_off(server.uuid, timeout=0)
        running.replace_disks(server.uuid, attempt="one")
        running.start_rebuilt(request_, start=False)
        assert running.power_state(server.uuid) is PowerState.SHUTDOWN
        running.power_on(request_)
        assert running.power_state(server.uuid) is PowerState.RUNNING

    def test_what_is_not_prepared_replaces_nothing(self, running, server, request_):
        before = self.identity(running, server)
        with pytest.raises(NovalikeError):
            running.replace_disks(server.uuid, attempt="one")
        self.prepare(running, request_, "another")
        with pytest.raises(NovalikeError):
            running.replace_disks(server.uuid, attempt="one")
        assert self.identity(running, server) == before

    def test_an_abandoned_rebuild_leaves_the_guest_as_it_was(self, running, server, request_):
        before, pieces = self.identity(running, server), sorted(running.leftovers(server.uuid))
        self.prepare(running, request_)
        assert running.abandon_rebuild(server.uuid, attempt="one") is True
        assert running.abandon_rebuild(server.uuid, attempt="one") is True
        assert sorted(running.leftovers(server.uuid)) == pieces
        assert self.identity(running, server) == before

    def test_a_rebuild_which_is_done_cannot_be_abandoned(self, running, server, request_):
        self.prepare(running, request_)
        running.power_off(server.uuid, timeout=0)
        running.replace_disks(server.uuid, attempt="one")
        assert running.abandon_rebuild(server.uuid, attempt="one") is False

    def test_one_rebuild_after_the_other(self, running, server, request_):
        for attempt in ("one", "two"):
            before = self.identity(running, server)
            self.prepare(running, request_, attempt)
            running.power_off(server.uuid, timeout=0)
            running.replace_disks(server.uuid, attempt=attempt)
            running.start_rebuilt(request_, start=True)
            assert self.identity(running, server) != before

    @pytest.mark.parametrize("replaced", [False, True])
    def test_a_guest_is_destroyed_in_the_middle_of_a_rebuild(self, running, server, request_, replaced):
        self.prepare(running, request_)
        if replaced:
            running.power_off(server.uuid, timeout=0)
            running.replace_disks(server.uuid, attempt="one")
        running.destroy(server.uuid, server.name, request_.vifs)
        assert running.leftovers(server.uuid) == ()

    def test_ephemeral_disks_cannot_be_preserved(self, running, request_):
        with pytest.raises(NovalikeError, match="does not support preserving ephemeral partitions"):
            running.prepare_rebuild(request_, attempt="one", preserve_ephemeral=True)

    # ---- rescue

    def rescued(self, driver: Any, request: SpawnRequest, **properties: str) -> None:
        asked = self.rescue_request(request, "one", **properties)
        assert driver.prepare_rescue(asked) is False
        driver.power_off(request.instance.uuid, timeout=0)
        driver.rescue(asked)

    def test_preparing_a_rescue_touches_nothing(self, running, server, request_):
        before, seen = self.identity(running, server), self.disks_seen(running, server)
        running.prepare_rescue(self.rescue_request(request_, "one"))
        assert running.power_state(server.uuid) is PowerState.RUNNING
        assert (self.identity(running, server), self.disks_seen(running, server)) == (before, seen)

    def test_a_rescued_guest_sees_its_disk_second(self, running, server, request_):
        before = self.identity(running, server)
        self.rescued(running, request_)
        assert running.power_state(server.uuid) is PowerState.RUNNING
        assert self.disks_seen(running, server)[:2] == ["disk.rescue", "disk"]
        assert self.identity(running, server) == before

    @pytest.mark.parametrize("properties", [{"hw_rescue_bus": "virtio"}, {"hw_rescue_device": "cdrom"}])
    def test_stable_rescue_leaves_disks_where_they_are(self, running, server, request_, properties):
        own = self.disks_seen(running, server)
        self.rescued(running, request_, **properties)
        seen = self.disks_seen(running, server)
        assert seen[:len(own)] == own
        assert "disk.rescue" in seen[len(own):]

    def test_a_rescue_which_runs_is_not_begun_again(self, running, server, request_):
        self.rescued(running, request_)
        assert running.prepare_rescue(self.rescue_request(request_, "one")) is True

    def test_a_rescue_goes_on_where_it_was_cut_off(self, running, server, request_):
        asked = self.rescue_request(request_, "one")
        running.prepare_rescue(asked)
        running.power_off(server.uuid, timeout=0)
        assert running.prepare_rescue(asked) is False
        running.rescue(asked)
        assert self.disks_seen(running, server)[:2] == ["disk.rescue", "disk"]

    def test_unrescued_a_guest_is_as_before(self, running, server, request_):
        before, seen, pieces = self.identity(running, server), self.disks_seen(running, server), sorted(running.leftovers(server.uuid))
        self.rescued(running, request_)
        for _ in range(2):
            running.unrescue(request_, start=True)
        assert running.power_state(server.uuid) is PowerState.RUNNING
        assert (self.identity(running, server), self.disks_seen(running, server)) == (before, seen)
        assert sorted(running.leftovers(server.uuid)) == pieces

    def test_a_rescue_which_failed_may_leave_a_guest_off(self, running, server, request_):
        self.rescued(running, request_)
        running.unrescue(request_, start=False)
        assert running.power_state(server.uuid) is PowerState.SHUTDOWN

    def test_a_rescue_which_never_began_leaves_the_guest_alone(self, running, server, request_):
        running.prepare_rescue(self.rescue_request(request_, "one"))
        pieces = len(running.leftovers(server.uuid))
        running.unrescue(request_, start=True)
        assert running.power_state(server.uuid) is PowerState.RUNNING
        assert len(running.leftovers(server.uuid)) < pieces

    def test_another_rescue_replaces_one_that_was_given_up(self, running, server, request_):
        self.rescued(running, request_)
        asked = self.rescue_request(request_, "two")
        assert running.prepare_rescue(asked) is False
        running.power_off(server.uuid, timeout=0)
        running.rescue(asked)
        assert running.prepare_rescue(asked) is True

    def test_a_rescued_guest_is_destroyed(self, running, server, request_):
        self.rescued(running, request_)
        running.destroy(server.uuid, server.name, request_.vifs)
        assert running.leftovers(server.uuid) == ()

    # ---- passwords

    def test_nobody_there_to_set_a_password(self, started, server, request_):
        with pytest.raises(NotFound):
            started.set_password(server.uuid, "root", PASSWORD)
        started.spawn(request_)
        with pytest.raises(NovalikeError, match="agent"):
            started.set_password(server.uuid, "root", PASSWORD)
        started.power_off(server.uuid, timeout=0)
        with pytest.raises(Conflict):
            started.set_password(server.uuid, "root", PASSWORD)


def with_agent(request: SpawnRequest) -> SpawnRequest:
    """Answer the request of a server whose image has a guest agent."""
    properties = {**request.instance.image_properties, "hw_qemu_guest_agent": "yes"}
    return replace(request, instance=replace(request.instance, image_properties=properties))
