"""Whether KVM really runs guests here. /dev/kvm and libvirt's capabilities may promise it where it does not work."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile

LOG = logging.getLogger(__name__)

_SECONDS = 5
_SUCCESS = (42 << 1) | 1                                 # how isa-debug-exit reports the 42 which the boot sector writes
#: A boot sector which goes from real mode to 64-bit mode with paging, uses SSE2 and a locked cmpxchg16b, loops twenty
#: million times (too much for a hypervisor which interprets) and writes 42 to port 0xf4. Source: boot_probe.S beside this file.
_BOOT_SECTOR = bytes.fromhex(
    "fa31c08ed88ec08ed0bc007c66bf001000006631c066b9000c0000fc66f3ab66c70600100320000066c70600200330000066c70600308300"
    "000066b8b00600000f22e066b8001000000f22d866b9800000c00f32660d000100000f3066b8030000800f22c00f0116d87cea6f7c0800b8"
    "100000008ed88ed0660f6ec0660fd4c0bf0040000048c7070000000048c747080000000031c031d2bb0100000031c9f0480fc70f7513b900"
    "2d310148010fffc975f9b82a000000e6f4f4ebfd0f1f4000000000000000000000000000009a200000000000009200001700c07c"
).ljust(510, b"\0") + b"\x55\xaa"


def kvm_works(*, state_file: str, qemu_version: int, emulator: str = "qemu-system-x86_64") -> bool:
    """Answer whether a guest ran under KVM on this kernel with this QEMU; tried once and remembered in `state_file`."""
    if not os.path.exists("/dev/kvm"):
        return False
    key = f"linux {os.uname().release} {os.uname().version}, qemu {qemu_version}"
    try:
        with open(state_file, encoding="utf-8") as file:
            remembered = json.load(file)
        if remembered["key"] == key:
            return bool(remembered["works"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    works = probe("kvm", cpu="host", emulator=emulator)
    LOG.info("KVM %s on %s", "runs guests" if works else "runs no guests here; they will be emulated", key)
    os.makedirs(os.path.dirname(state_file), exist_ok=True)
    with open(f"{state_file}.new", "w", encoding="utf-8") as file:
        json.dump({"key": key, "works": works}, file)
    os.replace(f"{state_file}.new", state_file)
    return works


def probe(accelerator: str, *, cpu: str, emulator: str = "qemu-system-x86_64") -> bool:
    """Run the boot sector in a tiny guest and answer whether it came to its end within a few seconds."""
    with tempfile.NamedTemporaryFile(prefix="novalike-probe-") as disk:
        disk.write(_BOOT_SECTOR)
        disk.flush()
        command = [
            emulator, "-accel", accelerator, "-cpu", cpu, "-M", "pc", "-m", "16", "-nodefaults", "-no-user-config", "-no-reboot",
            "-display", "none", "-drive", f"file={disk.name},format=raw,if=ide", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
        ]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            LOG.info("The %s probe did not end: %s", accelerator, error)
            return False
    if done.returncode != _SUCCESS:
        LOG.info("The %s probe ended with %d: %s", accelerator, done.returncode, done.stderr.decode(errors="replace")[-300:].strip())
    return done.returncode == _SUCCESS
