"""Real things for live tests: a libvirtd of our own and the small guest image."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import libvirtd

ROOT = Path(__file__).parents[2]


def _missing(what: str) -> None:
    complain = pytest.fail if os.environ.get("NOVALIKE_TEST_REQUIRE") == "1" else pytest.skip
    complain(what)


@pytest.fixture(scope="session")
def libvirt_state() -> Iterator[Path]:
    """The state directory of a libvirtd which runs for this test session alone."""
    if os.geteuid() != 0 or not shutil.which("libvirtd") or not shutil.which("qemu-system-x86_64"):
        _missing("libvirtd and QEMU are not installed, or this is not root")
    # Not pytest's own directory: names of sockets may have no more than 107 letters.
    state = Path(tempfile.mkdtemp(prefix="nlv-"))
    libvirtd.start(state)
    yield state
    libvirtd.stop(state)
    shutil.rmtree(state)


@pytest.fixture(scope="session")
def libvirt_uri(libvirt_state) -> str:
    return libvirtd.start(libvirt_state)


@pytest.fixture(scope="session")
def tiny_image() -> Path:
    """The folder with tiny.qcow2, tiny.ext4, tiny.vmlinuz and tiny.initrd: NOVALIKE_TEST_IMAGES, or built once into .cache/."""
    folder = Path(os.environ.get("NOVALIKE_TEST_IMAGES") or ROOT / ".cache" / "tiny-image")
    if not (folder / "kernel-version").exists():
        done = subprocess.run(
            ["bash", str(ROOT / "devstack" / "images" / "build-tiny-image.sh"), "-o", str(folder), "-c", str(ROOT / ".cache" / "debs")],
            capture_output=True, text=True, check=False, timeout=300,
        )
        if done.returncode:
            _missing(f"the guest image cannot be built: {done.stderr[-500:]}")
    return folder
