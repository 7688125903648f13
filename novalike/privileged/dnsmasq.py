"""DHCP servers: dnsmasq processes, known by their configuration file, which outlive the agent that starts them. Need root."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time

from novalike.exception import NovalikeError
from novalike.privileged import namespaces

LOG = logging.getLogger(__name__)
TIMEOUT = 15


def running(config: str, pid_file: str) -> int | None:
    """Answer the process id of the dnsmasq that runs with this configuration file, or None.

    The pid file is only a hint: the process it names must be one that was started with this very file.
    """
    try:
        with open(pid_file, encoding="ascii") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if f"--conf-file={config}".encode() in words else None


def start(namespace: str, config: str) -> None:
    """Start a dnsmasq inside a namespace; it goes into the background by itself. Raises NovalikeError when it does not."""
    command = namespaces.inside(namespace, ["dnsmasq", f"--conf-file={config}"])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False, start_new_session=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NovalikeError("A DHCP server could not be started.", details=f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise NovalikeError("A DHCP server could not be started.", details=f"{' '.join(command)}: {done.stderr.strip()}")


def reread(config: str, pid_file: str) -> bool:
    """Make it read its hosts again, leases untouched; answer whether it runs at all."""
    pid = running(config, pid_file)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGHUP)
    return pid is not None


def stop(config: str, pid_file: str, *, patience: float = 5.0) -> None:
    """End it, and return when it is gone. Fine when it does not run."""
    deadline = time.monotonic() + patience
    sent = signal.SIGTERM
    while (pid := running(config, pid_file)) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sent)
        time.sleep(0.02)
        if time.monotonic() > deadline:
            sent = signal.SIGKILL
