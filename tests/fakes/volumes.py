"""A small volume service which works: its volumes are files, its exports (if wanted) real NBD servers.

It survives every crash of a conductor. What it holds can be asserted: the volumes' states, who has which, what is exported.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from novalike.exception import Conflict, Invalid, NotFound, Unavailable
from novalike.objects.secret import Secret
from novalike.objects.tasks import Caller
from novalike.objects.volume import Volume


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
    """An NBD server of one volume."""

    port: int
    process: subprocess.Popen[bytes] | None = None


@dataclass
class Volumes:
    """Implements VolumeClient. With `folder` volumes are files there, and connected ones are exported by qemu-nbd.

    `point` is called between any two changes.
    """

    folder: Path | None = None
    point: Callable[[str], None] = lambda name: None
    volumes: dict[str, Volume] = field(default_factory=dict)
    attachments: dict[str, Attachment] = field(default_factory=dict)
    exports: dict[str, Export] = field(default_factory=dict)
    away: bool = False                           # it does not answer
    refuses: set[str] = field(default_factory=set)   # methods which it refuses for good

    def make(self, *, project_id: str = "p1", size_gb: int = 1, **values: Any) -> str:
        """Make a volume; answer its id."""
        volume = Volume(id=str(uuid.uuid4()), project_id=project_id, size_gb=size_gb, status="available", **values)
        self.volumes[volume.id] = volume
        if self.folder is not None:
            with open(self._file(volume.id), "wb") as file:
                file.truncate(size_gb << 30)
        return volume.id

    def held_by(self, instance_uuid: str) -> list[str]:
        """Answer the ids of volumes which a server holds."""
        return sorted(found.volume_id for found in self.attachments.values() if found.instance_uuid == instance_uuid)

    def close(self) -> None:
        """End all exports."""
        for volume_id in list(self.exports):
            self._unexport(volume_id)

    # -- what VolumeClient says

    def get(self, ctxt: Any, volume_id: str) -> Volume:
        self._answer("get")
        volume = self.volumes.get(volume_id)
        if volume is None or (volume.project_id != ctxt.project_id and not ctxt.is_admin):
            raise NotFound(f"Volume {volume_id} could not be found.")
        return volume

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

    def connect(self, caller: Caller, attachment_id: str, connector: Mapping[str, str], *, device: str | None = None) -> Secret:
        self._answer("connect")
        found = self._attachment(attachment_id)
        if found.host != connector["host"]:
            self.point("before connecting")
            found.host = connector["host"]
            self._settle(found.volume_id)
            self.point("after connecting")
        return self.connection(caller, attachment_id)

    def connection(self, caller: Caller, attachment_id: str) -> Secret:
        self._answer("connection")
        found = self._attachment(attachment_id)
        if found.host is None:
            raise Conflict(f"Attachment {attachment_id} is not connected to any host.")
        export = self._export(found.volume_id)
        return Secret(json.dumps({
            "driver_volume_type": "nbd",
            "data": {"host": "127.0.0.1", "port": export.port, "export": found.volume_id, "volume_id": found.volume_id},
        }))

    def complete(self, caller: Caller, attachment_id: str) -> None:
        self._answer("complete")
        found = self._attachment(attachment_id)
        if not found.complete:
            self.point("before completing")
            found.complete = True
            self._settle(found.volume_id)
            self.point("after completing")

    def begin_detaching(self, caller: Caller, volume_id: str) -> None:
        self._answer("begin_detaching")
        volume = self._volume(volume_id)
        if volume.status not in {"in-use", "detaching"}:
            raise Invalid(f"Invalid volume: Volume {volume_id} must be in-use")
        self._set(volume_id, status="detaching")

    def roll_detaching(self, caller: Caller, volume_id: str) -> None:
        self._answer("roll_detaching")
        volume = self.volumes.get(volume_id)
        if volume is not None and volume.status == "detaching":
            self._set(volume_id, status="in-use")

    def release(self, caller: Caller, volume_id: str, instance_uuid: str) -> None:
        self._answer("release")
        for found in [a for a in self.attachments.values() if (a.volume_id, a.instance_uuid) == (volume_id, instance_uuid)]:
            self.point("before releasing")
            del self.attachments[found.id]
            self._settle(volume_id)
            self.point("after releasing")

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
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            self._enter([binary, "-x", volume_id, "-t", "-e", "8", "-f", "raw", "-b", "127.0.0.1", "-p", str(port), str(self._file(volume_id))]),
        )
        for _ in range(200):
            time.sleep(0.02)
            assert process.poll() is None, "qemu-nbd ended at once"
            if self._listens(port):
                return Export(port, process)
        raise AssertionError("qemu-nbd does not listen")

    def _enter(self, command: list[str]) -> list[str]:
        """Answer the command as it runs where hosts reach it; a subclass enters a network namespace."""
        return command

    def _listens(self, port: int) -> bool:
        shown = subprocess.run(self._enter(["ss", "-Hltn", f"sport = :{port}"]), capture_output=True, text=True, check=False, timeout=10)
        return bool(shown.stdout.strip())

    def _unexport(self, volume_id: str) -> None:
        export = self.exports.pop(volume_id, None)
        if export is not None and export.process is not None:
            export.process.terminate()
            try:
                export.process.wait(10)
            except subprocess.TimeoutExpired:
                export.process.kill()
                export.process.wait(10)
