"""The pretended host: its guests and their pieces. It outlives drivers, as libvirtd and QEMU outlive the compute daemon."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from novalike.clock import Clock
from novalike.exception import BuildFailed, NotFound
from novalike.objects.host import HostUsage
from novalike.objects.states import PowerState
from novalike.virt.driver import PowerListener
from novalike.virt.fake.console import boot_log

LOG = logging.getLogger(__name__)
MAX_BOOTS = 20   # boots whose console text is kept


@dataclass(slots=True, kw_only=True)
class FakeGuest:
    """What the hypervisor keeps of one guest. `pieces` are kind:name of all that exists for it; `facts` made the console."""

    uuid: str
    name: str
    power_state: PowerState = PowerState.NOSTATE
    pieces: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    boots: list[float] = field(default_factory=list)
    printed: str = ""                            # what the guest said after its last boot
    deaf: bool = False                           # ignores requests to shut down
    disks: dict[str, str] = field(default_factory=dict)    # file name -> what is on it
    boots_from: list[str] = field(default_factory=list)    # the disks it sees now, in its order; none named: all
    beside: dict[str, Any] = field(default_factory=dict)   # prepared for a rebuild or a rescue, by what it is for
    passwords: dict[str, str] = field(default_factory=dict)    # user -> hash of the password set by its agent

    @property
    def defined(self) -> bool:
        """Whether the domain exists, and not only disks or taps of a spawn which never ended."""
        return f"domain:{self.name}" in self.pieces


class FakeHypervisor:
    """Guests by uuid, safe to use from many threads.

    With `path` every change is also written to that SQLite file, and a new object over the same file finds the guests
    again. Listeners hear every change of power state, whoever caused it, in the thread which caused it.
    """

    def __init__(self, path: str | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.started = self.clock.time()
        self._lock = threading.RLock()
        self._guests: dict[str, FakeGuest] = {}
        self._listeners: list[PowerListener] = []
        self._usage: HostUsage | None = None
        self.cached_images: set[str] = set()     # ids of images which were fetched ahead of servers
        self._file = _Store(path) if path else None
        if self._file:
            self._guests = {guest.uuid: guest for guest in self._file.load()}

    # What drivers use.

    def listen(self, listener: PowerListener) -> None:
        """Call `listener(uuid, power state)` at every change from now on."""
        with self._lock:
            self._listeners.append(listener)

    def ignore(self, listener: PowerListener) -> None:
        """Stop calling `listener`."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def begin(self, guest: FakeGuest, limits: Mapping[str, float] | None = None) -> None:
        """Put this guest in the place of whatever has its uuid.

        With `limits` (by fact: vcpus, memory_mb, disk_gb) raises BuildFailed when all guests together would exceed one.
        """
        with self._change(guest.uuid):
            for name, limit in (limits or {}).items():
                others = sum(other.facts[name] for other in self._guests.values() if other.uuid != guest.uuid)
                if others + guest.facts[name] > limit:
                    raise BuildFailed(f"The fake hypervisor has not enough {name} left.")
            self._guests[guest.uuid] = guest

    def add(self, uuid: str, *pieces: str) -> None:
        """Record that these pieces exist now."""
        with self._change(uuid):
            self.guest(uuid).pieces.extend(pieces)

    def drop(self, uuid: str, *pieces: str) -> None:
        """Record that these pieces exist no more."""
        with self._change(uuid):
            guest = self.guest(uuid)
            guest.pieces = [piece for piece in guest.pieces if piece not in pieces]

    def fill(self, uuid: str, disks: Mapping[str, str]) -> None:
        """Put disks with these contents (by file name) in the place of all that the guest has."""
        with self._change(uuid):
            self.guest(uuid).disks = dict(disks)

    def amend(self, uuid: str, **values: Any) -> None:
        """Set fields of a guest, all at once. Raises NotFound."""
        with self._change(uuid):
            guest = self.guest(uuid)
            for name, value in values.items():
                setattr(guest, name, value)

    def learn(self, uuid: str, **facts: Any) -> None:
        """Change facts of a guest. Raises NotFound."""
        with self._change(uuid):
            guest = self.guest(uuid)
            guest.facts = {**guest.facts, **facts}

    def boot(self, uuid: str) -> None:
        """Start the guest: a new boot log, state RUNNING."""
        with self._change(uuid):
            guest = self.guest(uuid)
            guest.boots = [*guest.boots[1 - MAX_BOOTS:], self.clock.time()]
            guest.printed = ""
            guest.power_state = PowerState.RUNNING

    def set_power(self, uuid: str, state: PowerState) -> None:
        """Change the power state. Raises NotFound."""
        with self._change(uuid):
            self.guest(uuid).power_state = state

    def remove(self, uuid: str) -> None:
        """Forget guest and pieces. Fine when there is none."""
        with self._change(uuid):
            self._guests.pop(uuid, None)

    def rename(self, old: str, new: str) -> None:
        """Keep a guest under another uuid, in the place of what was there, its disks' pieces named after it. Raises NotFound."""
        with self._change(old), self._change(new):
            guest = self.guest(old)
            guest.uuid = new
            guest.pieces = [piece.replace(f"disk:{old}/", f"disk:{new}/") for piece in guest.pieces]
            del self._guests[old]
            self._guests[new] = guest

    def guest(self, uuid: str) -> FakeGuest:
        """Answer a guest. Raises NotFound."""
        try:
            return self._guests[uuid]
        except KeyError:
            raise NotFound(f"Instance {uuid} could not be found.") from None

    def find(self, uuid: str) -> FakeGuest | None:
        """Answer a guest or None."""
        return self._guests.get(uuid)

    def guests(self) -> tuple[FakeGuest, ...]:
        """Answer all guests, half-made ones as well."""
        with self._lock:
            return tuple(self._guests.values())

    def console(self, uuid: str) -> str:
        """Answer all that the guest's serial console showed. Raises NotFound."""
        with self._lock:
            guest = self.guest(uuid)
            return "".join(boot_log(guest.facts, started) for started in guest.boots) + guest.printed

    def usage(self) -> HostUsage:
        """Answer what guests use; summed up again only after a change."""
        with self._lock:
            if self._usage is None:
                guests = [guest for guest in self._guests.values() if guest.pieces]
                self._usage = HostUsage(
                    memory_mb_used=sum(guest.facts["memory_mb"] for guest in guests if guest.power_state == PowerState.RUNNING),
                    local_gb_used=sum(guest.facts["disk_gb"] for guest in guests),
                    running_vms=sum(guest.power_state == PowerState.RUNNING for guest in guests),
                )
            return self._usage

    # What guests and other people do, for tests.

    def guest_powers_off(self, uuid: str) -> None:
        """Let the guest shut itself down, as `poweroff` inside it does."""
        self.set_power(uuid, PowerState.SHUTDOWN)

    def guest_crashes(self, uuid: str) -> None:
        """Let the guest panic."""
        self.set_power(uuid, PowerState.CRASHED)

    def guest_prints(self, uuid: str, text: str) -> None:
        """Let the guest write to its console."""
        with self._change(uuid):
            self.guest(uuid).printed += text

    def guest_writes(self, uuid: str, text: str, disk: str = "disk") -> None:
        """Let the guest write to one of its disks."""
        with self._change(uuid):
            self.guest(uuid).disks[disk] += text

    def disks_seen(self, uuid: str) -> list[tuple[str, str]]:
        """Answer name and content of each disk which the guest sees, in its order. Raises NotFound."""
        with self._lock:
            guest = self.guest(uuid)
            return [(name, guest.disks[name]) for name in guest.boots_from or guest.disks]

    def close(self) -> None:
        """Close the state file; the object answers from memory afterwards."""
        if self._file:
            self._file.close()
            self._file = None

    @contextmanager
    def _change(self, uuid: str) -> Iterator[None]:
        """Hold the lock, then save the guest and tell listeners when its power state changed."""
        with self._lock:
            before = self._guests[uuid].power_state if uuid in self._guests else PowerState.NOSTATE
            yield
            guest = self._guests.get(uuid)
            after = guest.power_state if guest else PowerState.NOSTATE
            self._usage = None
            if self._file:
                self._file.save(uuid, guest)
            listeners = tuple(self._listeners) if after != before else ()
        for listener in listeners:
            try:
                listener(uuid, after)
            except Exception:
                LOG.exception("A listener failed to hear that guest %s is now %s", uuid, after.name)


class _Store:
    """The guests in a file: one row each. Without fsync: it is to survive a killed daemon, not a power cut."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        for statement in (
            "PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF",
            "CREATE TABLE IF NOT EXISTS guests (uuid TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID",
        ):
            self._connection.execute(statement)

    def load(self) -> Iterator[FakeGuest]:
        for (document,) in self._connection.execute("SELECT document FROM guests").fetchall():
            values = json.loads(document)
            yield FakeGuest(**{**values, "power_state": PowerState(values["power_state"])})

    def save(self, uuid: str, guest: FakeGuest | None) -> None:
        if guest is None:
            self._connection.execute("DELETE FROM guests WHERE uuid = ?", (uuid,))
        else:
            self._connection.execute("INSERT OR REPLACE INTO guests VALUES (?, ?)", (uuid, json.dumps(asdict(guest))))

    def close(self) -> None:
        self._connection.close()
