"""Runs a command with the servers which tests need, and stops them afterwards.

    python -m devstack.servers COMMAND...
"""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from devstack import mariadb, postgresql, processes, rabbitmq
from devstack.progress import step


def main(command: list[str]) -> int:
    """Start MariaDB, PostgreSQL and RabbitMQ on free ports, run the command with their URLs, answer its exit status."""
    # Told to end, it still stops what it started: SIGTERM becomes an exception, which passes the `finally` below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    state = Path(tempfile.mkdtemp(prefix="novalike-test-"))
    ports = [processes.free_port() for _ in range(3)]
    try:
        with step("MariaDB, PostgreSQL and RabbitMQ"), concurrent.futures.ThreadPoolExecutor() as together:
            started = [
                together.submit(module.start, state / name, port)
                for (name, module), port in zip((("m", mariadb), ("p", postgresql), ("r", rabbitmq)), ports, strict=True)
            ]
            urls = [one.result() for one in started]
        environment = {
            **os.environ, "NOVALIKE_TEST_MARIADB": urls[0], "NOVALIKE_TEST_POSTGRESQL": urls[1], "NOVALIKE_TEST_RABBITMQ": urls[2],
            "NOVALIKE_TEST_REQUIRE": "1",
        }
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        rabbitmq.stop(state / "r")
        mariadb.stop(state / "m")
        postgresql.stop(state / "p")
        shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
