"""Every call of qemu-img: always with the format declared, and with limits on CPU, memory and time."""

from __future__ import annotations

import json
import os
import subprocess

from novalike.exception import NovalikeError
from novalike.virt.libvirt import qcow2

FORMATS = ("raw", "qcow2")
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


def _run(operation: str, arguments: list[str], seconds: int) -> str:
    command = ["prlimit", f"--as={_ADDRESS_SPACE}", f"--cpu={seconds}", "--", "qemu-img", operation, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=_ENVIRONMENT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NovalikeError("the disk could not be processed", details=str(error)) from error
    if done.returncode:
        raise NovalikeError("the disk could not be processed", details=f"qemu-img {operation}: {done.stderr.strip()[-500:]}")
    return done.stdout
