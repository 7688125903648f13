"""Processes which outlive the command that starts them: a pid file and a log each, ended by pid and never by name."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"


def read_pid(file: Path) -> int | None:
    """Answer the pid in a file if that very process still runs.

    The file holds the pid and the process's start time, so that a pid used again is not mistaken for ours.
    """
    try:
        words = file.read_text().split()
        pid = int(words[0])
    except (OSError, ValueError, IndexError):
        return None
    if not alive(pid) or (len(words) > 1 and words[1] != started_at(pid)):
        return None
    return pid


def started_at(pid: int) -> str:
    """Answer a process's start time in clock ticks since boot."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""


def start(
    name: str, command: Sequence[str], state: Path, *, environment: Mapping[str, str] | None = None, directory: Path | None = None,
) -> int:
    """Start a process detached, unless it runs already; answer its pid. Log and pid file are STATE/NAME.log and .pid."""
    state.mkdir(parents=True, exist_ok=True)
    pid_file = state / f"{name}.pid"
    running = read_pid(pid_file)
    if running is not None:
        return running
    with (state / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=directory or "/",
            env={**os.environ, **(environment or {})},
        )
    pid_file.write_text(f"{process.pid} {started_at(process.pid)}\n")
    process.returncode = 0                       # it outlives us, and Popen shall not complain that nobody waited for it
    return process.pid


def stop(pid_file: Path, *, timeout: float = 30, kill: bool = True) -> bool:
    """End the process of a pid file: SIGTERM, then SIGKILL after `timeout` seconds. True when it is gone."""
    pid = read_pid(pid_file)
    if pid is not None:
        _signal(pid, signal.SIGTERM)
        if not _gone(pid, timeout) and kill:
            _signal(pid, signal.SIGKILL)
            _gone(pid, 5)
        if alive(pid):
            return False
    pid_file.unlink(missing_ok=True)
    return True


def stop_all(pid_files: Sequence[Path], *, timeout: float = 30) -> None:
    """End the processes of several pid files at the same time: SIGTERM, then SIGKILL for whoever takes longer."""
    for pid_file in pid_files:
        pid = read_pid(pid_file)
        if pid is not None:
            _signal(pid, signal.SIGTERM)
    give_up = time.monotonic() + timeout
    for pid_file in pid_files:
        pid = read_pid(pid_file)
        if pid is not None and not _gone(pid, give_up - time.monotonic()):
            _signal(pid, signal.SIGKILL)
            _gone(pid, 5)
        pid_file.unlink(missing_ok=True)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _gone(pid: int, timeout: float) -> bool:
    give_up = time.monotonic() + timeout
    while time.monotonic() < give_up:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)          # our own child, if this very command started it
        if not alive(pid):
            return True
        time.sleep(0.05)
    return not alive(pid)


def wait_for(what: str, ready: Callable[[], bool], *, timeout: float = 60, log: Path | None = None, pid: int | None = None) -> None:
    """Wait until `ready()`; raises TimeoutError (or RuntimeError when the process died), with the end of its log."""
    give_up = time.monotonic() + timeout
    while not ready():
        tail = _tail(log) if log is not None and log.exists() else ""
        if pid is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if not alive(pid):
                raise RuntimeError(f"{what} ended at its start:\n{tail}")
        if time.monotonic() > give_up:
            raise TimeoutError(f"{what} was not ready within {timeout:g} s:\n{tail}")
        time.sleep(0.02)


def _tail(log: Path) -> str:
    """Answer the end of a log, and before it the last thing it calls critical: tracebacks push the cause out of sight."""
    lines = log.read_text(errors="replace").splitlines()
    critical = [line for line in lines[:-15] if " CRITICAL " in line]
    return "\n".join([*critical[-1:], *lines[-15:]])


# Below what the kernel gives to outgoing connections (net.ipv4.ip_local_port_range): a port from there which was free when
# asked for may be a client's by the time a daemon binds it.
FREE_PORTS = range(22768, 32768)
_given: set[int] = set()


def free_port() -> int:
    """Answer a TCP port which is free now, was not answered before, and is given to no outgoing connection.

    Raises RuntimeError when it finds none.
    """
    for port in random.sample(FREE_PORTS, 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            if port not in _given:
                _given.add(port)
                return port
    raise RuntimeError(f"no free port in {FREE_PORTS}")


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether something accepts connections on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
