"""Where images' bytes lie: one file per content, named by its SHA-512, however many images have it.

A file appears under its name whole (written elsewhere, synced, renamed) and goes when no image has it any more. Work on
files runs in native threads, so that a slow disk stops nobody else.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from novalike import concurrency
from novalike.exception import Conflict, NotFound
from novalike.image import inspector

LOG = logging.getLogger(__name__)

#: Bytes handled at once: large enough that handing them to a native thread costs nothing beside hashing them.
BLOCK = 1 << 20


class Store:
    """A folder of contents. Processes on machines which share the folder may share the store."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()

    def receive(self, name: str) -> Incoming:
        """Begin to receive bytes; `name` must be unique (an upload's id)."""
        folder = self._folder("uploads")
        return Incoming(folder / name)

    def stage(self, image_id: str, incoming: Incoming) -> None:
        """Keep received bytes beside the store until they are imported."""
        os.replace(incoming.path, self._folder("staging") / image_id)

    def staged(self, image_id: str) -> Path | None:
        """Answer the file of staged bytes, if there are any."""
        path = self._root / "staging" / image_id
        return path if path.exists() else None

    def unstage(self, image_id: str) -> None:
        """Forget staged bytes."""
        (self._root / "staging" / image_id).unlink(missing_ok=True)

    def keep(self, incoming: Incoming, record: Callable[[], bool], referenced: Callable[[], bool]) -> bool:
        """Move finished bytes to their place, then let `record` write who has them, and answer what it answers.

        When it answers False or raises, the bytes go again unless `referenced` says that another image has them. All under
        the lock, so that no deletion comes between.
        """
        target = self._path(incoming.sha512)
        with self._locked():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                incoming.path.unlink(missing_ok=True)
            else:
                os.replace(incoming.path, target)
                _sync_folder(target.parent)
            recorded = False
            try:
                recorded = record()
            finally:
                if not recorded and not referenced():
                    target.unlink(missing_ok=True)
            return recorded

    def drop(self, sha512: str, referenced: Callable[[], bool]) -> None:
        """Delete a content unless `referenced` says that an image has it."""
        with self._locked():
            if not referenced():
                self._path(sha512).unlink(missing_ok=True)

    def read(self, sha512: str, *, start: int = 0, length: int | None = None) -> Blocks:
        """Answer a content's bytes in blocks. Raises NotFound, here and not at the first block."""
        try:
            return Blocks(self._path(sha512), start=start, length=length)
        except FileNotFoundError as error:
            raise NotFound("No image data could be found.", details=f"content {sha512} is missing in the store") from error

    def sweep(self, *, older_than: float) -> None:
        """Remove what interrupted uploads left, when untouched for so many seconds."""
        folder = self._root / "uploads"
        if not folder.is_dir():
            return
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_than:
                    LOG.info("removing the rest of an interrupted upload: %s", path.name)
                    path.unlink()

    def contents(self, *, older_than: float) -> Iterator[str]:
        """Answer the hashes of contents which lie here for so many seconds."""
        for path in (self._root / "contents").glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_than:
                    yield path.name

    def _folder(self, name: str) -> Path:
        folder = self._root / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        return folder

    def _path(self, sha512: str) -> Path:
        if len(sha512) != 128 or not sha512.isalnum():
            raise NotFound("No image data could be found.")
        return self._root / "contents" / sha512[:2] / sha512

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time in this process (which must not block the hub on a file lock), then among processes."""
        with self._lock, open(self._folder("uploads").parent / "lock", "w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.01)
            yield


class Incoming:
    """Bytes on their way in: hashed while they are written. `sha512` and `md5` are those of what was written so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._file = open(path, "xb")  # noqa: SIM115  # closed by finish or discard
        self._sha512 = hashlib.sha512()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._waiting = bytearray()
        self.head = b""

    @property
    def sha512(self) -> str:
        return self._sha512.hexdigest()

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Take bytes; a full block goes to the disk in a native thread."""
        self.size += len(chunk)
        if len(self.head) < inspector.HEAD:
            self.head += chunk[: inspector.HEAD - len(self.head)]
        self._waiting += chunk
        if len(self._waiting) >= BLOCK:
            self._flush()

    def finish(self) -> None:
        """Make all bytes durable."""
        self._flush()
        concurrency.native(_sync, self._file.fileno())
        self._file.close()

    def inspect(self, disk_format: str) -> int:
        """Check the whole image and answer its virtual size. Raises Invalid."""
        with open(self.path, "rb") as file:
            return concurrency.native(inspector.inspect, file, disk_format)

    def discard(self) -> None:
        """Forget it all."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _flush(self) -> None:
        block, self._waiting = bytes(self._waiting), bytearray()
        if block:
            concurrency.native(self._absorb, block)

    def _absorb(self, block: bytes) -> None:
        self._file.write(block)
        self._sha512.update(block)
        self._md5.update(block)


class Blocks:
    """A file's bytes in blocks, `length` of them from `start` (None: to its end). Closes the file at the end, or when told."""

    def __init__(self, path: Path, *, start: int = 0, length: int | None = None) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  # closed below
        self._file.seek(start)
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._left == 0 or self._file.closed:
            self.close()
            raise StopIteration
        block = concurrency.native(self._file.read, BLOCK if self._left is None else min(BLOCK, self._left))
        if not block:
            self.close()
            raise StopIteration
        if self._left is not None:
            self._left -= len(block)
        return block

    def close(self) -> None:
        """End early (WSGI servers call this when the client went away)."""
        self._file.close()


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reading(path: Path) -> Blocks:
    """Answer a file's bytes in blocks. Raises Conflict when it is gone."""
    try:
        return Blocks(path)
    except FileNotFoundError as error:
        raise Conflict("The staged data is gone.") from error
