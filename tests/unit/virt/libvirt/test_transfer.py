"""Disks on their way between hypervisors."""

from __future__ import annotations

import http.client
import os
import socket
import threading

import pytest

from novalike.clock import Clock
from novalike.exception import BuildFailed, Fenced
from novalike.objects.secret import Secret
from novalike.virt.libvirt.transfer import Offers, fetch

TICKET = Secret("open sesame")
UUID = "11111111-2222-3333-4444-555555555555"
MIB = 1 << 20


class Later(Clock):
    """A clock which can be set ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class Hurried(Clock):
    """A clock on which pauses take no time, and time flies."""

    def monotonic(self) -> float:
        return super().monotonic() * 1000

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 100)


@pytest.fixture
def clock():
    return Later()


@pytest.fixture
def offers(tmp_path, clock):
    made = Offers(str(tmp_path / "offered.json"), "127.0.0.1", 0, clock)
    yield made
    made.stop()


@pytest.fixture
def disk(tmp_path):
    """A sparse disk of 20 MiB with something at its beginning, its middle and its end."""
    path = tmp_path / "disk"
    with open(path, "wb") as file:
        file.truncate(20 * MIB)
        for offset, content in ((0, b"first"), (7 * MIB - 3, os.urandom(3 * MIB)), (20 * MIB - 4, b"last")):
            file.seek(offset)
            file.write(content)
    return path


def go_on() -> None:
    pass


def test_a_disk_arrives_as_it_was_and_stays_sparse(offers, disk, tmp_path):
    where = offers.offer(UUID, {"disk": str(disk)}, TICKET, 60)
    fetch(where, UUID, "disk", TICKET, str(tmp_path / "came"), clock=Clock(), go_on=go_on)
    came = tmp_path / "came"
    assert came.read_bytes() == disk.read_bytes()
    assert came.stat().st_blocks * 512 < 8 * MIB, "holes are not sent"
    assert came.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_and_one_that_is_only_a_hole(offers, tmp_path):
    empty, hole = tmp_path / "empty", tmp_path / "hole"
    empty.touch()
    with open(hole, "wb") as file:
        file.truncate(5 * MIB)
    where = offers.offer(UUID, {"empty": str(empty), "hole": str(hole)}, TICKET, 60)
    for name, size in (("empty", 0), ("hole", 5 * MIB)):
        fetch(where, UUID, name, TICKET, str(tmp_path / "came"), clock=Clock(), go_on=go_on)
        assert (tmp_path / "came").stat().st_size == size


@pytest.mark.parametrize(("path", "ticket"), [
    (f"/moves/{UUID}/disk", "open barley"), (f"/moves/{UUID}/disk", ""), (f"/moves/{UUID}/other", "open sesame"),
    ("/moves/22222222-2222-3333-4444-555555555555/disk", "open sesame"), (f"/moves/{UUID}/..%2Fdisk", "open sesame"),
    (f"/moves/{UUID}/disk?from=x", "open sesame"), ("/", "open sesame"),
])
def test_everybody_else_gets_nothing(offers, disk, path, ticket):
    address, _, port = offers.offer(UUID, {"disk": str(disk)}, TICKET, 60).rpartition(" ")
    connection = http.client.HTTPConnection(address, int(port), timeout=5)
    connection.request("GET", path, headers={"Authorization": f"Bearer {ticket}"})
    assert connection.getresponse().status == 404
    connection.close()


def test_a_refused_fetch_fails_at_once(offers, disk, tmp_path):
    where = offers.offer(UUID, {"disk": str(disk)}, TICKET, 60)
    with pytest.raises(BuildFailed, match="does not hand out"):
        fetch(where, UUID, "disk", Secret("wrong"), str(tmp_path / "came"), clock=Clock(), go_on=go_on)


def test_an_offer_ends_by_time_and_by_word(offers, disk, tmp_path, clock):
    offers.offer(UUID, {"disk": str(disk)}, TICKET, 60)
    assert offers.find(UUID, "disk", "open sesame") == str(disk)
    clock.ahead = 61
    assert offers.find(UUID, "disk", "open sesame") is None
    clock.ahead = 0
    offers.withdraw(UUID)
    assert offers.find(UUID, "disk", "open sesame") is None
    assert not (tmp_path / "offered.json").exists()


def test_nothing_listens_without_an_offer(offers, disk):
    address, _, port = offers.offer(UUID, {"disk": str(disk)}, TICKET, 60).rpartition(" ")
    offers.withdraw(UUID)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, int(port)), timeout=5)


def test_the_record_holds_no_ticket_and_is_for_its_owner_alone(offers, disk, tmp_path):
    offers.offer(UUID, {"disk": str(disk)}, TICKET, 60)
    record = tmp_path / "offered.json"
    assert "sesame" not in record.read_text()
    assert record.stat().st_mode & 0o777 == 0o600


def test_the_next_daemon_offers_the_same_at_the_same_port(offers, disk, tmp_path):
    where = offers.offer(UUID, {"disk": str(disk)}, TICKET, 60)
    offers.stop()
    after = Offers(str(tmp_path / "offered.json"), "127.0.0.1", 0, Clock())
    after.resume()
    try:
        fetch(where, UUID, "disk", TICKET, str(tmp_path / "came"), clock=Clock(), go_on=go_on)
        assert (tmp_path / "came").read_bytes() == disk.read_bytes()
    finally:
        after.stop()


class CuttingServer:
    """Passes connections on to a server and cuts each of the first ones after so many bytes."""

    def __init__(self, where: str, cuts: list[int]) -> None:
        self.begun: list[str] = []
        self._target, self._cuts = where.rpartition(" ")[::2], cuts
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.where = f"127.0.0.1 {self._socket.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            asked = caller.recv(4096)
            self.begun.append(asked.split(b" ")[1].decode())
            left = self._cuts.pop(0) if self._cuts else 1 << 40
            with caller, socket.create_connection((self._target[0], int(self._target[1]))) as server:
                server.sendall(asked)
                while left > 0 and (content := server.recv(min(65536, left))):
                    caller.sendall(content)
                    left -= len(content)

    def close(self) -> None:
        self._socket.close()


def test_a_transfer_which_is_cut_off_goes_on_where_it_was(offers, disk, tmp_path):
    cutting = CuttingServer(offers.offer(UUID, {"disk": str(disk)}, TICKET, 60), [0, 2 * MIB, 100])
    fetch(cutting.where, UUID, "disk", TICKET, str(tmp_path / "came"), clock=Hurried(), go_on=go_on)
    cutting.close()
    assert (tmp_path / "came").read_bytes() == disk.read_bytes()
    assert len(cutting.begun) == 4
    assert int(cutting.begun[-1].rpartition("=")[2]) > MIB, "what came is not sent again"


def test_a_source_which_stays_away_is_given_up(disk, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(BuildFailed, match="could not be fetched"):
        fetch(f"127.0.0.1 {port}", UUID, "disk", TICKET, str(tmp_path / "came"), clock=Hurried(), go_on=go_on)


def test_a_transfer_which_is_not_wanted_any_more_ends(offers, disk, tmp_path):
    where = offers.offer(UUID, {"disk": str(disk)}, TICKET, 60)

    def stop() -> None:
        raise Fenced("gone")
    with pytest.raises(Fenced):
        fetch(where, UUID, "disk", TICKET, str(tmp_path / "came"), clock=Clock(), go_on=stop)
