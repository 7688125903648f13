"""A private PostgreSQL for tests: own data directory, loopback only. PostgreSQL refuses root, so it runs as postgres then."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from devstack import processes


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed")
    return found[-1].parent


def start(state: Path, port: int) -> str:
    """Start it (a second call finds it running); answer its URL without a database name."""
    binaries, data = _binaries(), state / "data"
    state.mkdir(parents=True, exist_ok=True)
    user = pwd.getpwuid(os.getuid()).pw_name
    prefix: list[str] = []
    if os.getuid() == 0:
        user = "postgres"
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        shutil.chown(state, "postgres")
        for parent in state.parents:             # it has to reach its directory
            if parent.stat().st_mode & 0o005 != 0o005 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o001)
    if not (data / "PG_VERSION").exists():
        subprocess.run(
            [*prefix, str(binaries / "initdb"), "-A", "trust", "-U", user, "-E", "UTF8", "--no-sync", "-D", str(data)],
            check=True, capture_output=True, timeout=120, cwd="/",
        )
    pid = processes.start("postgresql", [
        *prefix, str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
        "-c", f"unix_socket_directories={state}", "-c", "fsync=off", "-c", "max_connections=200",
    ], state)
    processes.wait_for("PostgreSQL", lambda: processes.listens(port), log=state / "postgresql.log", pid=pid)
    return f"postgresql+psycopg://{user}@127.0.0.1:{port}/"


def stop(state: Path) -> None:
    """Stop it; its data stays."""
    processes.stop(state / "postgresql.pid")
