#!/usr/bin/env python3
"""A private libvirtd and virtlogd, without systemd, with everything they keep under one state directory.

    devstack/libvirtd.py start STATE     prints the connection URI; does nothing when it already runs
    devstack/libvirtd.py stop STATE      ends its guests, libvirtd and virtlogd

libvirt's directories are compiled in, so the daemons run in a mount namespace of their own where /etc/libvirt,
/run/libvirt, /var/lib/libvirt, /var/log/libvirt and /var/cache/libvirt are folders of STATE, and in a cgroup namespace of
their own, where the guests of two such daemons cannot meet. The network namespace is the caller's (or a named one), so
bridges and taps are where the caller sees them. A *holder* process stays with them: it is the subreaper of the guests
(without one a dead QEMU waits for PID 1 and destroying a guest takes 2 s instead of 0.2 s) and restarts a daemon which died.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "blkio", "devices", "freezer", "pids")
FOLDERS = {"etc": "/etc/libvirt", "run": "/run/libvirt", "lib": "/var/lib/libvirt", "log": "/var/log/libvirt", "cache": "/var/cache/libvirt"}
PR_SET_CHILD_SUBREAPER = 36
SOCKET_PATH_LIMIT = 107
ENOUGH_ENDED = 3                                 # so often libvirtd may end at its start before we give up

QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
security_default_confined = 0
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = [ "cpu", "cpuacct", "cpuset", "memory", "blkio" ]
vnc_listen = "127.0.0.1"
stdio_handler = "logd"
swtpm_user = "root"
swtpm_group = "root"
max_core = 0
"""
LIBVIRTD_CONF = """\
listen_tls = 0
listen_tcp = 0
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
host_uuid = "{host_uuid}"
log_filters = "3:qemu 3:libvirt"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""
VIRTLOGD_CONF = """\
max_size = 2097152
max_backups = 2
log_outputs = "3:file:/var/log/libvirt/virtlogd.log"
"""


def start(state_dir: str | Path, *, network_namespace: str | None = None, hostname: str | None = None, timeout: float = 30) -> str:
    """Start libvirtd unless it already runs there, and answer the URI to connect to.

    Needs root. `network_namespace` names one of `ip netns`; None stays in the caller's. `hostname` is what libvirt calls
    its host (the hypervisor's name), None the machine's. Raises RuntimeError with the
    log's end when it does not come up within `timeout` seconds.
    """
    state = Path(state_dir).resolve()
    path = state / "run" / "libvirt-sock"
    if len(str(path)) > SOCKET_PATH_LIMIT:
        raise RuntimeError(f"{path} is too long for a socket's name; choose a shorter state directory")
    if not _holder(state):
        _write_configuration(state)
        (state / "holder.log").unlink(missing_ok=True)
        enter = ["nsenter", f"--net=/run/netns/{network_namespace}"] if network_namespace else []
        # setsid --fork: the holder is nobody's child, so that it does not stay a zombie of whoever started it.
        command = [
            "setsid", "--fork", *enter, "unshare", "--mount", "--uts", "--propagation", "private",
            sys.executable, str(Path(__file__).resolve()), "hold", str(state), *((hostname,) if hostname else ()),
        ]
        with (state / "holder.log").open("ab") as log:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=True)
    deadline, ended = time.monotonic() + timeout, _ended(state)
    uri = f"qemu:///system?socket={path}"
    while not _answers(path, uri):
        # It listens before it knows whether it can work, and the holder starts one which ended again and again.
        if time.monotonic() > deadline or _ended(state) - ended >= ENOUGH_ENDED:
            raise RuntimeError(f"libvirtd does not work in {state}:\n{_complaints(state)}")
        time.sleep(0.05)
    return uri


def stop(state_dir: str | Path, *, timeout: float = 20) -> None:
    """End the guests, the daemons and their holder. Fine when nothing runs; the state directory stays."""
    state = Path(state_dir).resolve()
    holder = _holder(state)
    if holder:
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while holder and Path(f"/proc/{holder}/exe").exists():   # not its pid file: a cgroup goes only when it is empty
        if time.monotonic() > deadline:
            raise RuntimeError(f"process {holder}, which holds {state}, does not end")
        time.sleep(0.02)
    for controller in CONTROLLERS:
        _remove_group(Path("/sys/fs/cgroup") / controller / _group(state))


def daemon_pid(state_dir: str | Path, name: str = "libvirtd") -> int:
    """Answer the process id of libvirtd or virtlogd, for tests which kill it."""
    return int((Path(state_dir).resolve() / f"{name}.pid").read_text())


# ---- inside ---------------------------------------------------------------------------------------------------------


def hold(state: Path, hostname: str | None = None) -> None:
    """Be the holder: enter the namespaces, run both daemons, reap, restart; end all on SIGTERM."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    (state / "holder.pid").write_text(str(os.getpid()))
    if hostname:
        _take_name(state, hostname)
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
    signal.signal(signal.SIGCHLD, lambda *_: None)       # only to be woken
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake)
    _enter_cgroups(state)
    for name, target in FOLDERS.items():
        Path(target).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", str(state / name), target], check=True)
    commands = {
        "virtlogd": ["virtlogd", "-f", "/etc/libvirt/virtlogd.conf", "-p", str(state / "virtlogd.pid")],
        "libvirtd": ["libvirtd", "-f", "/etc/libvirt/libvirtd.conf", "-p", str(state / "libvirtd.pid")],
    }
    running: dict[int, str] = {}
    for name, command in commands.items():
        running[_spawn(command)] = name
        if name == "virtlogd":
            _wait_for(Path("/run/libvirt/virtlogd-sock"))
    while not ending:
        pid = _reap()
        if pid in running and not ending:
            name = running.pop(pid)
            print(f"{name} ended; starting it again", flush=True)
            time.sleep(0.2)
            running[_spawn(commands[name])] = name
        elif pid == 0:
            select.select([woken], [], [])
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 512)
    _end_all(running)
    (state / "holder.pid").unlink(missing_ok=True)


def _take_name(state: Path, hostname: str) -> None:
    """Call the host by a name of its own. libvirt looks the name up whenever it is asked for it: without a line in
    /etc/hosts each time waits 10 s for a name server."""
    socket.sethostname(hostname)
    hosts = state / "hosts"
    hosts.write_text(f"{Path('/etc/hosts').read_text()}\n127.0.1.1 {hostname}\n")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)


def _end_all(daemons: dict[int, str]) -> None:
    """End guests, then daemons. libvirtd sees its guests end, and removes their taps and what it knows of their state."""
    known = Path("/run/libvirt/qemu")
    pid_files = [state_file.with_suffix(".pid") for state_file in known.glob("*.xml")]       # driver.pid is libvirtd's own
    guests = [int(path.read_text()) for path in pid_files if path.exists()]
    for number, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 2)):
        for pid in guests:
            _kill(pid, number)
        if _reap_until(lambda: not any(known.glob("*.xml")) and not any(map(_runs, guests)), patience):
            break
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in daemons:
            _kill(pid, number)
        if _reap_until(lambda: not _has_children(), 3):
            break
    for state_file in known.glob("*.xml"):
        state_file.unlink()                              # or the next libvirtd would look for these guests


def _reap_until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        reaped = _reap()
        if not reaped and done():
            return True
        if time.monotonic() > deadline:
            return False
        if not reaped:
            time.sleep(0.02)


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()             # a zombie has none


def _reap() -> int:
    try:
        return os.waitpid(-1, os.WNOHANG)[0]
    except ChildProcessError:
        return 0


def _has_children() -> bool:
    try:
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text().strip() != ""
    except OSError:
        return False


def _spawn(command: list[str]) -> int:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/").pid


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_for(path: Path, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def _enter_cgroups(state: Path) -> None:
    """Move into cgroups of our own (version 1; version 2 needs nothing) and look at them as if they were the root."""
    mounted = [name for name in CONTROLLERS if (Path("/sys/fs/cgroup") / name / "cgroup.procs").exists()]
    if not mounted:
        return
    for name in mounted:
        group = Path("/sys/fs/cgroup") / name / _group(state)
        group.mkdir(exist_ok=True)
        if name == "cpuset":                             # a new cpuset is empty and takes no process
            for knob in ("cpuset.cpus", "cpuset.mems"):
                (group / knob).write_text((group.parent / knob).read_text())
        (group / "cgroup.procs").write_text(str(os.getpid()))
    new_cgroup_namespace = 0x02000000
    if ctypes.CDLL(None, use_errno=True).unshare(new_cgroup_namespace) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    # A network namespace shows only in a /sys mounted inside it, and a new /sys hides the cgroups: mount both again.
    subprocess.run(["umount", "-l", "-R", "/sys"], check=False)
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "cgroup", "/sys/fs/cgroup"], check=True)
    for name in mounted:
        target = Path("/sys/fs/cgroup") / name
        target.mkdir()
        subprocess.run(["mount", "-t", "cgroup", "-o", name, "cgroup", str(target)], check=True)


# ---- outside --------------------------------------------------------------------------------------------------------


def _write_configuration(state: Path) -> None:
    for name in FOLDERS:
        (state / name).mkdir(parents=True, exist_ok=True)
    for name in ("qemu", "images", "boot", "swtpm"):
        (state / "lib" / name).mkdir(exist_ok=True)
    host = uuid.uuid5(uuid.NAMESPACE_URL, f"{socket.gethostname()}{state}")
    (state / "etc" / "qemu.conf").write_text(QEMU_CONF)
    (state / "etc" / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(host_uuid=host))
    (state / "etc" / "virtlogd.conf").write_text(VIRTLOGD_CONF)
    for stale in ("libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock"):
        (state / "run" / stale).unlink(missing_ok=True)


def _group(state: Path) -> str:
    return f"novalike-{uuid.uuid5(uuid.NAMESPACE_URL, str(state)).hex[:12]}"


def _remove_group(group: Path) -> None:
    if not group.is_dir():
        return
    for child in group.iterdir():
        if child.is_dir():
            _remove_group(child)
    with contextlib.suppress(OSError):
        group.rmdir()


def _holder(state: Path) -> int | None:
    """Answer the holder's pid while it lives. A recycled pid is told by its command line."""
    try:
        pid = int((state / "holder.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if b"hold" in command and str(state).encode() in command else None


def _answers(path: Path, uri: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:         # cheaper than virsh, which is asked when there is something to ask
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return subprocess.run(["virsh", "--quiet", "--connect", uri, "uri"], capture_output=True, timeout=30, check=False).returncode == 0


def _ended(state: Path) -> int:
    return (state / "holder.log").read_text().count("libvirtd ended")


def _complaints(state: Path) -> str:
    """Answer the last errors of libvirtd, which names their cause, and what the holder saw."""
    log = state / "log" / "libvirtd.log"
    errors = [line for line in log.read_text(errors="replace").splitlines() if ": error :" in line] if log.exists() else []
    return "\n".join([*errors[-5:], (state / "holder.log").read_text()[-500:]])


def main() -> None:
    parser = argparse.ArgumentParser(description="A private libvirtd under one state directory.")
    parser.add_argument("command", choices=["start", "stop", "hold"])
    parser.add_argument("state", type=Path)
    parser.add_argument("hostname", nargs="?")
    parser.add_argument("--network-namespace")
    arguments = parser.parse_args()
    if arguments.command == "start":
        print(start(arguments.state, network_namespace=arguments.network_namespace, hostname=arguments.hostname))
    elif arguments.command == "stop":
        stop(arguments.state)
    else:
        hold(arguments.state, arguments.hostname)


if __name__ == "__main__":
    main()
