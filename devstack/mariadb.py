"""A private MariaDB: own data directory, loopback only, as whoever calls."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from devstack import processes


def start(state: Path, port: int) -> str:
    """Start it (a second call finds it running); answer its URL without a database name. About 2 s the first time."""
    data, socket = state / "data", state / "mariadb.sock"
    state.mkdir(parents=True, exist_ok=True)
    user = pwd.getpwuid(os.getuid()).pw_name
    if not (data / "mysql").exists():
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--user={user}", f"--datadir={data}", "--auth-root-authentication-method=normal",
             "--skip-test-db"], check=True, capture_output=True, timeout=120,
        )
    pid = processes.start("mariadb", [
        "mariadbd", "--no-defaults", f"--user={user}", f"--datadir={data}", "--bind-address=127.0.0.1", f"--port={port}",
        f"--socket={socket}", f"--pid-file={state / 'server.pid'}", "--max-connections=600", "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=256M", "--character-set-server=utf8mb4",
    ], state)
    processes.wait_for("MariaDB", lambda: processes.listens(port), log=state / "mariadb.log", pid=pid)
    return f"mysql+pymysql://root@127.0.0.1:{port}/"


def stop(state: Path) -> None:
    """Stop it; its data stays."""
    processes.stop(state / "mariadb.pid")
