"""Ports of Open vSwitch. Needs its tools, and root to reach its database."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from novalike.exception import NovalikeError
from novalike.privileged.links import checked


def add_port(
    bridge: str, name: str, interface: Mapping[str, str], *, port: Mapping[str, str] | None = None, datapath: str = "", database: str = "",
    timeout: int = 120,
) -> None:
    """Put an interface into a bridge; both are made unless they exist. Its columns are `interface`, its port's are `port`
    (set on one which is made now only). `database` is where Open vSwitch's is, `datapath` the kind of a bridge which is
    made now. Raises NovalikeError.
    """
    checked(bridge), checked(name)
    words = ["--may-exist", "add-br", bridge]
    if datapath and not _run(["br-exists", bridge], database, timeout, fine=2):
        words += ["--", "set", "Bridge", bridge, f"datapath_type={datapath}"]
    new = port if port and not has_port(name, database=database, timeout=timeout) else {}
    words += ["--", "--may-exist", "add-port", bridge, name]
    words += ["--", "set", "Port", name, *_columns(new)] if new else []
    _run([*words, "--", "set", "Interface", name, *_columns(interface)], database, timeout)


def has_port(name: str, *, database: str = "", timeout: int = 120) -> bool:
    """Answer whether some bridge has a port of that name."""
    return _run(["port-to-br", checked(name)], database, timeout, fine=1)


def delete_port(name: str, *, database: str = "", timeout: int = 120) -> None:
    """Take a port out of whatever bridge it is in; fine when there is none. Raises NovalikeError."""
    _run(["--if-exists", "del-port", checked(name)], database, timeout)


def _columns(values: Mapping[str, str]) -> list[str]:
    return [f'{name}="{value}"' for name, value in values.items()]


def _run(words: list[str], database: str, timeout: int, fine: int | None = None) -> bool:
    """Run ovs-vsctl; answer False when it ended with the code `fine`."""
    command = ["ovs-vsctl", *([f"--db={database}"] if database else []), f"--timeout={timeout}", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout + 5 if timeout else None, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NovalikeError("Open vSwitch could not be asked.", details=f"{' '.join(command)}: {error}") from error
    if done.returncode in (0, fine):
        return done.returncode == 0
    raise NovalikeError("Open vSwitch could not be changed.", details=f"{' '.join(command)}: {done.stderr.strip()}")
