"""Every call of qemu-img: always with the format declared, and with limits on CPU, memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable

from novalike.clock import Clock
from novalike.exception import NovalikeError
from novalike.virt.libvirt import qcow2

FORMATS = ("raw", "qcow2")
#: What disks are exported as.
EXPORTS = ("raw", "qcow2", "vmdk", "vdi")
_POLL = 0.1
_INFO_SECONDS, _CREATE_SECONDS, _CONVERT_SECONDS = 30, 30, 3600
_ADDRESS_SPACE = 2 << 30
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}


def create(path: str, *, size: int, backing: str | None = None, backing_format: str | None = None) -> None:
    """Make a qcow2 disk of `size` bytes, on a backing file whose format is declared. Raises NovalikeError."""
    base = ["-b", backing, "-F", _declared(backing_format)] if backing else []
    _run("create", ["-q", "-f", "qcow2", *base, path, str(size)], _CREATE_SECONDS)


def convert(source: str, source_format: str, target: str, target_format: str) -> None:
    """Copy a disk into another format. Raises NovalikeError."""
    _run(
        "convert", ["-f", _declared(source_format), "-O", _declared(target_format), source, target], _CONVERT_SECONDS,
    )


def export(
    source: str, source_format: str, target: str, target_format: str, *, compress: bool = False, in_use: bool = False,
    go_on: Callable[[], None], clock: Clock,
) -> None:
    """Copy a disk, with all that it is based on, into one file of any format which images have (EXPORTS).

    `in_use`: a guest has the source open, and does not write to it. Calls `go_on` now and then, and stops when that raises.
    Raises NovalikeError.
    """
    if target_format not in EXPORTS:
        raise NovalikeError(f"disk format {target_format!r} is not supported")
    flags = [*(["-c"] if compress and target_format == "qcow2" else []), *(["-U"] if in_use else [])]
    command = _command("convert", [
        *flags, "-f", _declared(source_format), "-O", target_format, source, target,
    ], _CONVERT_SECONDS)
    deadline = clock.monotonic() + _CONVERT_SECONDS
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=_ENVIRONMENT)
        except OSError as error:
            raise NovalikeError("the disk could not be processed", details=str(error)) from error
        try:
            while process.poll() is None:
                go_on()
                if clock.monotonic() > deadline:
                    raise NovalikeError("the disk could not be processed", details=f"not within {_CONVERT_SECONDS} s")
                clock.sleep(_POLL)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            errors.seek(0)
            text = errors.read()[-500:].decode(errors="replace").strip()
            raise NovalikeError("the disk could not be processed", details=f"qemu-img convert: {text}")


def resize(path: str, file_format: str, size: int) -> None:
    """Grow a disk to `size` bytes. Raises NovalikeError."""
    _run("resize", ["-q", "-f", _declared(file_format), path, str(size)], _CREATE_SECONDS)


def rebase(path: str, backing: str, backing_format: str) -> None:
    """Write another backing file, with the same content, into the header of a qcow2 disk. Raises NovalikeError."""
    _run("rebase", ["-q", "-u", "-f", "qcow2", "-b", backing, "-F", _declared(backing_format), path], _CREATE_SECONDS)


def verify(path: str, file_format: str) -> int:
    """Check that a file from outside is of the declared format and refers to no other file; answer its virtual size.

    Raises NovalikeError whose text says what is wrong with the image, fit for users.
    """
    if _declared(file_format) == "raw":
        return os.path.getsize(path)                     # any bytes are a raw disk, and they are never looked at otherwise
    found = qcow2.header(path)
    if found is None:
        raise NovalikeError(f"the image is declared as {file_format} but is not")
    if found.objection:
        raise NovalikeError(f"the image is refused because {found.objection}")
    said = json.loads(_run("info", ["-f", file_format, "--output=json", path], _INFO_SECONDS))
    specific = said.get("format-specific", {}).get("data", {})
    if said.get("format") != file_format or said.get("backing-filename") or specific.get("data-file") or said.get("encrypted"):
        raise NovalikeError("the image is refused because it refers to other files")
    return int(said["virtual-size"])


def _declared(file_format: str | None) -> str:
    if file_format not in FORMATS:
        raise NovalikeError(f"disk format {file_format!r} is not supported")
    return file_format


def _command(operation: str, arguments: list[str], seconds: int) -> list[str]:
    return ["prlimit", f"--as={_ADDRESS_SPACE}", f"--cpu={seconds}", "--", "qemu-img", operation, *arguments]


def _run(operation: str, arguments: list[str], seconds: int) -> str:
    command = _command(operation, arguments, seconds)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=_ENVIRONMENT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NovalikeError("the disk could not be processed", details=str(error)) from error
    if done.returncode:
        raise NovalikeError("the disk could not be processed", details=f"qemu-img {operation}: {done.stderr.strip()[-500:]}")
    return done.stdout
