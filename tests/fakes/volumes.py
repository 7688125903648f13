"""A small volume service which works: its volumes are files, its exports (if wanted) real NBD servers.

It survives every crash of a conductor. What it holds can be asserted: the volumes' states, who has which, what is exported.
With a folder all of that is kept there, for as many processes as want it: [volume]client = tests.fakes.volumes:of_cloud.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from devstack import processes
from novalike.exception import Conflict, Invalid, NotFound, Unavailable
from novalike.objects.secret import Secret
from novalike.objects.tasks import Caller
from novalike.objects.volume import Volume

LOOPBACK = "127.0.0.1"


@dataclass
class Attachment:
    """A server's hold on a volume. `host` None: only reserved."""

    id: str
    volume_id: str
    instance_uuid: str
    host: str | None = None
    complete: bool = False


@dataclass
class Export:
    """An NBD server of one volume: its process, when there is one."""

    port: int
    pid: int | None = None


F = TypeVar("F", bound=Callable[..., Any])


def _shared(method: F) -> F:
    """Let one caller in at a time, whichever process it is, with what the one before left."""
    @functools.wraps(method)
    def alone(self: Volumes, *arguments: Any, **more: Any) -> Any:
        with self.lock:
            if self.folder is None or self.inside:
                return method(self, *arguments, **more)
            with open(self.folder / "lock", "w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self.inside = True
                try:
                    self._load()
                    return method(self, *arguments, **more)
                finally:
                    self.inside = False
                    self._save()
    return alone  # type: ignore[return-value]


def of_cloud(conf: Any) -> Volumes:
    """Answer the volume service of a cloud which a test brought up: kept in the folder `volumes` of its daemons' state.

    It listens where the cloud's API does, so that every hypervisor of it can get there.
    """
    folder = Path(conf.state_path) / "volumes"
    folder.mkdir(parents=True, exist_ok=True)
    listen = str(conf.osapi_compute_listen)
    return Volumes(folder=folder, address=LOOPBACK if listen in ("0.0.0.0", "::") else listen)  # compared, not bound


@dataclass
class Volumes:
    """Implements VolumeClient. With `folder` volumes are files there, and connected ones are exported by qemu-nbd.

    `point` is called between any two changes.
    """

    folder: Path | None = None
    address: str = LOOPBACK                      # where exports listen
    point: Callable[[str], None] = lambda name: None
    volumes: dict[str, Volume] = field(default_factory=dict)
    attachments: dict[str, Attachment] = field(default_factory=dict)
    exports: dict[str, Export] = field(default_factory=dict)
    away: bool = False                           # it does not answer
    refuses: set[str] = field(default_factory=set)   # methods which it refuses for good
    lock: threading.RLock = field(default_factory=threading.RLock)
    inside: bool = False                         # this process holds the folder's lock

    @_shared
    def make(self, *, project_id: str = "p1", size_gb: int = 1, **values: Any) -> str:
        """Make a volume; answer its id."""
        volume = Volume(id=str(uuid.uuid4()), project_id=project_id, size_gb=size_gb, status="available", **values)
        self.volumes[volume.id] = volume
        if self.folder is not None:
            with open(self._file(volume.id), "wb") as file:
                file.truncate(size_gb << 30)
        return volume.id

    @_shared
    def held_by(self, instance_uuid: str) -> list[str]:
        """Answer the ids of volumes which a server holds."""
        return sorted(found.volume_id for found in self.attachments.values() if found.instance_uuid == instance_uuid)

    @_shared
    def shown(self) -> dict[str, Volume]:
        """Answer the volumes as they are now."""
        return dict(self.volumes)

    @_shared
    def close(self) -> None:
        """End all exports."""
        for volume_id in list(self.exports):
            self._unexport(volume_id)

    # -- what VolumeClient says

    @_shared
    def get(self, ctxt: Any, volume_id: str) -> Volume:
        self._answer("get")
        volume = self.volumes.get(volume_id)
        if volume is None or (volume.project_id not in ("", ctxt.project_id) and not ctxt.is_admin):
            raise NotFound(f"Volume {volume_id} could not be found.")
        return volume

    @_shared
    def reserve(self, caller: Caller, volume_id: str, instance_uuid: str) -> str:
        self._answer("reserve")
        volume = self._volume(volume_id)
        found = next((a for a in self.attachments.values() if (a.volume_id, a.instance_uuid) == (volume_id, instance_uuid)), None)
        if found is not None:
            return found.id
        if volume.status != "available" and not (volume.multiattach and volume.status == "in-use"):
            raise Invalid(f"Invalid volume: Volume {volume_id} status must be available or downloading")
        self.point("before reserving")
        made = Attachment(str(uuid.uuid4()), volume_id, instance_uuid)
        self.attachments[made.id] = made
        self._settle(volume_id)
        self.point("after reserving")
        return made.id

    @_shared
    def connect(self, caller: Caller, attachment_id: str, connector: Mapping[str, str], *, device: str | None = None) -> Secret:
        self._answer("connect")
        found = self._attachment(attachment_id)
        if found.host != connector["host"]:
            self.point("before connecting")
            found.host = connector["host"]
            self._settle(found.volume_id)
            self.point("after connecting")
        return self.connection(caller, attachment_id)

    @_shared
    def connection(self, caller: Caller, attachment_id: str) -> Secret:
        self._answer("connection")
        found = self._attachment(attachment_id)
        if found.host is None:
            raise Conflict(f"Attachment {attachment_id} is not connected to any host.")
        export = self._export(found.volume_id)
        return Secret(json.dumps({
            "driver_volume_type": "nbd",
            "data": {"host": self.address, "port": export.port, "export": found.volume_id, "volume_id": found.volume_id},
        }))

    @_shared
    def complete(self, caller: Caller, attachment_id: str) -> None:
        self._answer("complete")
        found = self._attachment(attachment_id)
        if not found.complete:
            self.point("before completing")
            found.complete = True
            self._settle(found.volume_id)
            self.point("after completing")

    @_shared
    def begin_detaching(self, caller: Caller, volume_id: str) -> None:
        self._answer("begin_detaching")
        volume = self._volume(volume_id)
        if volume.status not in {"in-use", "detaching"}:
            raise Invalid(f"Invalid volume: Volume {volume_id} must be in-use")
        self._set(volume_id, status="detaching")

    @_shared
    def roll_detaching(self, caller: Caller, volume_id: str) -> None:
        self._answer("roll_detaching")
        volume = self.volumes.get(volume_id)
        if volume is not None and volume.status == "detaching":
            self._set(volume_id, status="in-use")

    @_shared
    def release(self, caller: Caller, volume_id: str, instance_uuid: str) -> None:
        self._answer("release")
        for found in [a for a in self.attachments.values() if (a.volume_id, a.instance_uuid) == (volume_id, instance_uuid)]:
            self.point("before releasing")
            del self.attachments[found.id]
            self._settle(volume_id)
            self.point("after releasing")

    @_shared
    def delete(self, caller: Caller, volume_id: str) -> None:
        self._answer("delete")
        volume = self.volumes.get(volume_id)
        if volume is None:
            return
        if volume.status != "available":
            raise Invalid(f"Volume {volume_id} status must be available, but it is {volume.status}.")
        del self.volumes[volume_id]
        if self.folder is not None:
            self._file(volume_id).unlink(missing_ok=True)

    # -- inside

    def _answer(self, method: str) -> None:
        if self.away:
            raise Unavailable("The volume service does not answer.")
        if method in self.refuses:
            raise Invalid(f"The volume service refuses to {method}.")

    def _volume(self, volume_id: str) -> Volume:
        if volume_id not in self.volumes:
            raise NotFound(f"Volume {volume_id} could not be found.")
        return self.volumes[volume_id]

    def _attachment(self, attachment_id: str) -> Attachment:
        if attachment_id not in self.attachments:
            raise NotFound(f"Attachment {attachment_id} could not be found.")
        return self.attachments[attachment_id]

    def _set(self, volume_id: str, **values: Any) -> None:
        self.volumes[volume_id] = replace(self.volumes[volume_id], **values)

    def _settle(self, volume_id: str) -> None:
        """Show in the volume's state who has it; nobody's volume is exported no more."""
        if volume_id not in self.volumes:
            return
        holders = [a for a in self.attachments.values() if a.volume_id == volume_id]
        status = "available" if not holders else "reserved"
        if any(a.host for a in holders):
            status = "attaching"
        if any(a.complete for a in holders):
            status = "in-use"
        self._set(volume_id, status=status, attached_to=tuple(a.instance_uuid for a in holders if a.complete))
        if not any(a.host for a in holders):
            self._unexport(volume_id)

    def _file(self, volume_id: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{volume_id}.raw"

    def _export(self, volume_id: str) -> Export:
        export = self.exports.get(volume_id)
        if export is None:
            export = self.exports[volume_id] = self._serve(volume_id) if self.folder is not None else Export(10809)
        return export

    def _serve(self, volume_id: str) -> Export:
        binary = shutil.which("qemu-nbd")
        assert binary is not None, "qemu-nbd is not installed"
        port = processes.free_port()
        # It outlives whoever asked for it, as a volume service outlives conductors.
        pid = os.posix_spawn(
            binary, [binary, "-x", volume_id, "-t", "-e", "8", "-f", "raw", "-b", self.address, "-p", str(port), str(self._file(volume_id))],
            os.environ, setsid=True,
            file_actions=[(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)],
        )
        for _ in range(250):
            time.sleep(0.02)
            assert os.waitpid(pid, os.WNOHANG)[0] == 0, "qemu-nbd ended at once"
            with socket.socket() as probe:
                if probe.connect_ex((self.address, port)) == 0:
                    return Export(port, pid)
        raise AssertionError("qemu-nbd does not listen")

    def _unexport(self, volume_id: str) -> None:
        export = self.exports.pop(volume_id, None)
        if export is None or export.pid is None:
            return
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            for _ in range(100):
                try:
                    os.kill(export.pid, signal_number)
                    os.waitpid(export.pid, os.WNOHANG)
                except (ProcessLookupError, ChildProcessError):
                    if not Path(f"/proc/{export.pid}").exists():
                        return
                time.sleep(0.02)

    def _load(self) -> None:
        file = self._state()
        kept = json.loads(file.read_text()) if file.exists() else {}
        self.volumes = {key: Volume(**{**values, "attached_to": tuple(values["attached_to"])}) for key, values in kept.get("volumes", {}).items()}
        self.attachments = {key: Attachment(**values) for key, values in kept.get("attachments", {}).items()}
        self.exports = {key: Export(**values) for key, values in kept.get("exports", {}).items()}

    def _save(self) -> None:
        kept = {
            name: {key: asdict(value) for key, value in getattr(self, name).items()} for name in ("volumes", "attachments", "exports")
        }
        fresh = self._state().with_suffix(".new")
        fresh.write_text(json.dumps(kept))
        fresh.replace(self._state())

    def _state(self) -> Path:
        assert self.folder is not None
        return self.folder / "state.json"
