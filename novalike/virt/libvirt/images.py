"""Images kept on this host, each fetched once.

A cached image is `<sha1 of its id>` with `<sha1>.json` beside it, which says what the file is; both are complete when
they exist. While it is fetched it is `<sha1>.part`, which a later attempt continues.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, replace
from http.client import HTTPException, HTTPResponse

from novalike.clock import Clock
from novalike.exception import BuildFailed, NovalikeError
from novalike.objects.image import ImageSource
from novalike.virt.libvirt import qemu_img

LOG = logging.getLogger(__name__)

#: Declared formats which this hypervisor runs, and as what QEMU is to read them.
READ_AS = {"raw": "raw", "iso": "raw", "qcow2": "qcow2", "ami": "raw", "aki": "raw", "ari": "raw"}
_CHUNK = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedImage:
    """A file of the cache; `format` is how QEMU must read it, `virtual_size` is in bytes."""

    image_id: str
    path: str
    format: str
    virtual_size: int


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The headers hold a ticket, which must not travel to wherever a redirect points."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


class ImageCache:
    """The cache below `folder`. Safe for threads, and for other processes which share the folder."""

    def __init__(self, folder: str, *, force_raw: bool, timeout: float, clock: Clock, cafile: str | None = None) -> None:
        self._folder, self._force_raw, self._timeout, self._clock, self._cafile = folder, force_raw, timeout, clock, cafile
        self._locks: dict[str, threading.Lock] = {}

    def ensure(self, source: ImageSource, *, largest: int | None = None) -> CachedImage:
        """Answer the image's cached file, fetching it if need be.

        `largest` are the bytes of the disk it must fit on. Raises BuildFailed: with retry when fetching failed, without
        when the image itself is at fault (too large, wrong format, other bytes than announced).
        """
        if source.disk_format not in READ_AS:
            raise BuildFailed(f"This hypervisor cannot run images of format {source.disk_format}.", retry=False)
        name = hashlib.sha1(source.image_id.encode(), usedforsecurity=False).hexdigest()
        cached = self._cached(source.image_id, name)
        if cached is None:
            with self._locks.setdefault(name, threading.Lock()), self._other_processes(name):
                cached = self._cached(source.image_id, name) or self._fetch(source, name, largest)
        _check_size(source.image_id, cached.virtual_size, largest)
        return cached

    def of_path(self, path: str) -> CachedImage:
        """Answer the image whose file in the cache this is. Raises NovalikeError for any other file."""
        try:
            if os.path.dirname(path) != self._folder:
                raise ValueError("it is not in the cache")
            with open(f"{path}.json", "rb") as file:
                record = json.load(file)
            return CachedImage(image_id=record["image_id"], path=path, format=record["format"], virtual_size=record["virtual_size"])
        except (OSError, ValueError, KeyError) as error:
            raise NovalikeError("The image beneath the server's disk is not in the cache.", details=f"{path}: {error}") from error

    def adopt(self, image_id: str, file_format: str, virtual_size: int, fetch: Callable[[str], None]) -> CachedImage:
        """Answer the file of an image which another host has in its cache, and the image service perhaps no more.

        `fetch` is called with a path to make it at, unless it is here already. Raises BuildFailed.
        """
        name = hashlib.sha1(image_id.encode(), usedforsecurity=False).hexdigest()
        found = self._cached(image_id, name)
        if found is not None and found.virtual_size != virtual_size:     # another image which was given the same id
            name = hashlib.sha1(f"{image_id} {virtual_size}".encode(), usedforsecurity=False).hexdigest()
            found = self._cached(image_id, name)
        if found is not None:
            return found
        with self._locks.setdefault(name, threading.Lock()), self._other_processes(name):
            found = self._cached(image_id, name)
            if found is not None:
                return found
            path = os.path.join(self._folder, name)
            staged = f"{path}.adopted"
            try:
                fetch(staged)
                if qemu_img.verify(staged, file_format) != virtual_size:
                    raise BuildFailed("The image beneath the server's disk is not what its host announced.")
                os.chmod(staged, 0o644)
                found = CachedImage(image_id=image_id, path=path, format=file_format, virtual_size=virtual_size)
                _write(f"{path}.json", json.dumps({**asdict(found), "disk_format": file_format}).encode())
                os.replace(staged, path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(staged)
        LOG.info("Image %s came to the cache from another host", image_id)
        return found

    def is_at(self, folder: str) -> bool:
        """Answer whether this is the cache's own folder."""
        return os.path.realpath(folder) == os.path.realpath(self._folder)

    def clean(self, *, used: Collection[str], unused_for: float) -> int:
        """Remove images (and what interrupted fetches left) which nobody asked for in so many seconds; answer how many.

        `used` are the files on which disks are based.
        """
        if not os.path.isdir(self._folder):
            return 0
        before, count = self._clock.time() - unused_for, 0
        for entry in list(os.scandir(self._folder)):
            name, dot, suffix = entry.name.partition(".")
            if suffix in ("lock", "json", "json.new") or os.path.realpath(entry.path) in used:
                continue
            with contextlib.suppress(FileNotFoundError), self._locks.setdefault(name, threading.Lock()), self._other_processes(name):
                if entry.is_dir() or os.stat(entry.path).st_mtime >= before:
                    continue
                if not dot:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(f"{entry.path}.json")      # first: without it the file is no image
                    LOG.info("Removing image file %s: no server here needs it", entry.name)
                    count += 1
                os.unlink(entry.path)
        return count

    def _cached(self, image_id: str, name: str) -> CachedImage | None:
        path = os.path.join(self._folder, name)
        try:
            with open(f"{path}.json", "rb") as file:
                record = json.load(file)
            os.utime(path)                               # in use: what cleans the cache goes by age
        except (OSError, ValueError):
            return None
        return CachedImage(image_id=image_id, path=path, format=record["format"], virtual_size=record["virtual_size"])

    def _fetch(self, source: ImageSource, name: str, largest: int | None) -> CachedImage:
        os.makedirs(self._folder, exist_ok=True)
        path = os.path.join(self._folder, name)
        part, staged = f"{path}.part", f"{path}.converted"
        started = self._clock.monotonic()
        try:
            self._download(source, part)
            file_format = READ_AS[source.disk_format]
            try:
                virtual_size = qemu_img.verify(part, file_format)
                _check_size(source.image_id, virtual_size, largest)
                if self._force_raw and file_format != "raw":
                    qemu_img.convert(part, file_format, staged, "raw")
                    os.replace(staged, part)
                    file_format = "raw"
            except BuildFailed:
                raise
            except NovalikeError as error:
                raise BuildFailed(f"Image {source.image_id} cannot be used: {error}.", retry=False, details=error.details) from error
            cached = CachedImage(image_id=source.image_id, path=path, format=file_format, virtual_size=virtual_size)
            os.chmod(part, 0o644)                        # QEMU may run as another user
            _write(f"{path}.json", json.dumps({**asdict(cached), "disk_format": source.disk_format}).encode())
            os.replace(part, path)
        except OSError as error:
            raise BuildFailed(f"Image {source.image_id} could not be stored on the host.", details=str(error)) from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(staged)
        LOG.info("Image %s is in the cache after %.1f s", source.image_id, self._clock.monotonic() - started)
        return cached

    def _download(self, source: ImageSource, part: str) -> None:
        """Fetch from the first address which works; each goes on where the one before it broke off."""
        *before, last = source.url, *source.others
        for url in before:
            try:
                self._download_from(replace(source, url=url), part)
                return
            except BuildFailed as error:
                if not error.retry:
                    raise
                LOG.warning("Image %s: %s %s; trying its next address", source.image_id, error, error.details)
        self._download_from(replace(source, url=last), part)

    def _download_from(self, source: ImageSource, part: str) -> None:
        """Make `part` the image's bytes, continuing what an interrupted attempt left when the result can be checked."""
        digest = _digest(source)
        resumable = digest is not None and os.path.exists(part)
        if resumable and self._complete(source, part, digest, resume=True):
            return
        if not self._complete(source, part, _digest(source), resume=False):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
            raise BuildFailed(f"The bytes of image {source.image_id} are not those which the image service announced.", retry=False)

    def _complete(self, source: ImageSource, part: str, digest: hashlib._Hash | None, *, resume: bool) -> bool:
        """Fetch (the rest of) the bytes; answer whether they are what was announced."""
        have = 0
        if resume:
            with open(part, "rb") as file:
                for chunk in iter(lambda: file.read(_CHUNK), b""):
                    have += len(chunk)
                    digest.update(chunk)                 # type: ignore[union-attr]  # resumed only when there is a hash
                    self._clock.sleep(0)
        if not (resume and source.size is not None and have == source.size):
            have = self._receive(source, part, digest, have)
            if have < 0:
                return False
        if source.size is not None and have != source.size:
            return False
        return digest is None or digest.hexdigest() == (source.os_hash_value or "").lower()

    def _receive(self, source: ImageSource, part: str, digest: hashlib._Hash | None, have: int) -> int:
        """Append the bytes from `have` on; answer the total, or -1 when the server cannot continue there."""
        headers = {**source.headers, **({"Range": f"bytes={have}-"} if have else {})}
        try:
            with self._open(source, headers) as answer, open(part, "ab" if have else "wb") as file:
                if have and answer.status != 206:
                    return -1
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    if digest is not None:
                        digest.update(chunk)
                    have += len(chunk)
                    self._clock.sleep(0)                 # a fast peer never makes a green thread wait: let others run
                if answer.length:                        # bytes which were announced and did not come
                    raise BuildFailed(f"Fetching image {source.image_id} was cut off after {have} bytes.")
        except urllib.error.HTTPError as error:
            error.close()
            if have and error.code == 416:
                return -1
            gone = error.code in (404, 410)
            raise BuildFailed(
                f"Image {source.image_id} could not be fetched: the image service answered {error.code}.", retry=not gone,
            ) from error
        except (OSError, HTTPException) as error:        # URLError and timeouts are OSErrors; so is a full disk
            raise BuildFailed(f"Image {source.image_id} could not be fetched.", details=str(error)) from error
        return have

    def _open(self, source: ImageSource, headers: dict[str, str]) -> HTTPResponse:
        if not source.url.startswith(("http://", "https://")):
            raise BuildFailed(f"Image {source.image_id} has no usable address.", retry=False, details="not an HTTP URL")
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect(), urllib.request.ProxyHandler({})]
        if source.url.startswith("https://"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self._cafile)))
        request = urllib.request.Request(source.url, headers=headers)  # noqa: S310  # the scheme is checked above
        return urllib.request.build_opener(*handlers).open(request, timeout=self._timeout)  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def _other_processes(self, name: str) -> Iterator[None]:
        """Hold a lock file. Tried again and again, because a waiting flock would stop every green thread."""
        os.makedirs(self._folder, exist_ok=True)
        with open(os.path.join(self._folder, f"{name}.lock"), "wb") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    self._clock.sleep(0.2)
            yield


def _check_size(image_id: str, virtual_size: int, largest: int | None) -> None:
    if largest is not None and virtual_size > largest:
        raise BuildFailed(
            f"Image {image_id} is a disk of {_gib(virtual_size)} GiB; the flavor's root disk has {_gib(largest)} GiB.", retry=False,
        )


def _gib(size: int) -> str:
    return f"{size / _GIB:.3f}".rstrip("0").rstrip(".")


def _digest(source: ImageSource) -> hashlib._Hash | None:
    if not source.os_hash_algo or not source.os_hash_value:
        return None
    try:
        return hashlib.new(source.os_hash_algo)
    except ValueError as error:
        raise BuildFailed(
            f"Image {source.image_id} is hashed by {source.os_hash_algo}, which is not known here.", retry=False,
        ) from error


def _write(path: str, content: bytes) -> None:
    temporary = f"{path}.new"
    with open(temporary, "wb") as file:
        file.write(content)
    os.replace(temporary, path)
