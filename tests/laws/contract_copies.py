"""What a driver which copies disks must do (virt/driver.py Copier), on any hypervisor.

A subclass gives what DriverContract wants, and `holds_what_was_copied(content, server)`: whether these bytes are the disk.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from novalike.exception import Fenced, NotFound, NovalikeError
from novalike.objects.instance import Instance
from novalike.objects.states import PowerState
from novalike.virt.driver import Driver
from tests.laws.driver_contract import DriverFixtures

IMAGE = "11111111-1111-4111-8111-111111111111"


def go_on() -> None:
    """Nothing newer came."""


class CopiesContract(DriverFixtures):
    def holds_what_was_copied(self, content: bytes, disk_format: str) -> bool:
        """Answer whether this is a whole disk of the format, of a server of this contract."""
        raise NotImplementedError

    def read(self, driver: Driver, server: Instance) -> bytes:
        with driver.open_copy(server.uuid, IMAGE) as file:
            return bytes(file.read())

    @pytest.mark.parametrize("state", [PowerState.RUNNING, PowerState.PAUSED, PowerState.SHUTDOWN])
    def test_a_disk_is_copied_whatever_the_guest_does(self, started, server, request_, state):
        started.spawn(request_)
        if state is PowerState.PAUSED:
            started.pause(server.uuid)
        if state is PowerState.SHUTDOWN:
            started.power_off(server.uuid, timeout=0)
        copy = started.copy_disk(request_.instance, IMAGE, go_on=go_on)
        content = self.read(started, server)
        assert len(content) == copy.size
        assert self.holds_what_was_copied(content, copy.disk_format)
        assert started.power_state(server.uuid) is state, "the guest goes on as it was"

    def test_a_copy_is_a_leftover_until_it_is_discarded(self, started, server, request_):
        started.spawn(request_)
        before = started.leftovers(server.uuid)
        started.copy_disk(request_.instance, IMAGE, go_on=go_on)
        assert len(started.leftovers(server.uuid)) > len(before)
        for _ in range(2):
            started.discard_copy(server.uuid, IMAGE)
            assert started.leftovers(server.uuid) == before
        with pytest.raises(NotFound):
            started.open_copy(server.uuid, IMAGE)

    def test_copying_again_replaces_the_copy(self, started, server, request_):
        started.spawn(request_)
        for _ in range(2):
            copy = started.copy_disk(request_.instance, IMAGE, go_on=go_on)
        assert self.holds_what_was_copied(self.read(started, server), copy.disk_format)

    def test_copies_go_with_their_server(self, started, server, request_):
        started.spawn(request_)
        started.copy_disk(request_.instance, IMAGE, go_on=go_on)
        started.destroy(server.uuid, server.name, self.vifs(server))
        assert started.leftovers(server.uuid) == ()

    def test_an_overtaken_copy_stops_and_can_be_discarded(self, started, server, request_):
        def overtaken() -> None:
            raise Fenced("A newer operation took the server over.")
        started.spawn(request_)
        before = started.leftovers(server.uuid)
        with pytest.raises(Fenced):
            started.copy_disk(request_.instance, IMAGE, go_on=overtaken)
        started.end_copies(server.uuid)
        started.discard_copy(server.uuid, IMAGE)
        assert started.leftovers(server.uuid) == before
        assert started.power_state(server.uuid) is PowerState.RUNNING

    def test_what_demands_rest_is_not_copied_without_an_agent(self, started, server, request_):
        request = replace(request_, instance=replace(request_.instance, image_properties={"os_require_quiesce": "yes"}))
        started.spawn(request)
        with pytest.raises(NovalikeError, match="rest"):
            started.copy_disk(request.instance, IMAGE, go_on=go_on)
        assert started.power_state(server.uuid) is PowerState.RUNNING
        started.power_off(server.uuid, timeout=0)
        started.copy_disk(request.instance, IMAGE, go_on=go_on)      # what is off is at rest

    def test_nothing_of_unknown_servers(self, started):
        unknown = str(uuid.uuid4())
        started.discard_copy(unknown, IMAGE)
        started.end_copies(unknown)
        with pytest.raises(NotFound):
            started.open_copy(unknown, IMAGE)
        assert started.settle_copies(older_than=3600, busy=lambda _: False) == 0
