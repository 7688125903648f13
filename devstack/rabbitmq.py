"""A private RabbitMQ: own node name, directories and ports, loopback only."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from devstack import processes

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"


def _environment(state: Path, port: int, address: str = "127.0.0.1") -> dict[str, str]:
    return {
        "HOME": str(state), "RABBITMQ_NODENAME": f"novalike{port}@localhost", "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": address, "RABBITMQ_DIST_PORT": str(_distribution(port)),
        "RABBITMQ_MNESIA_BASE": str(state / "data"), "RABBITMQ_LOG_BASE": str(state / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(state / "plugins"), "RABBITMQ_CONFIG_FILE": str(state / "rabbitmq"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(state / "config"),
        # epmd, which nodes of one machine share, stays on loopback too.
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
    }


def _distribution(port: int) -> int:
    """Answer the port between nodes: RabbitMQ's own choice for the standard port, else one below `processes.FREE_PORTS`."""
    return port + 20000 if port < 12000 else port - 10000


def start(state: Path, port: int, *, address: str = "127.0.0.1", user: str = "guest", password: str = "guest") -> str:
    """Start it (a second call finds it running); answer its transport URL. About 5 s.

    Give a real password with any address which is not loopback.
    """
    state.mkdir(parents=True, exist_ok=True)
    (state / "rabbitmq.conf").write_text(
        f"loopback_users = none\ndefault_user = {user}\ndefault_pass = {password}\nlog.file.level = warning\n"
        "vm_memory_high_watermark.relative = 0.3\n",
    )
    (state / "plugins").write_text("[].\n")
    pid = processes.start("rabbitmq", [SERVER], state, environment=_environment(state, port, address))
    processes.wait_for("RabbitMQ", lambda: processes.listens(port, address) and _ready(state), log=state / "rabbitmq.log", pid=pid)
    return f"rabbit://{user}:{password}@{address}:{port}/"


def _ready(state: Path) -> bool:
    # The port opens when the broker accepts connections; the log line is its own word for it.
    return "completed with" in (state / "rabbitmq.log").read_text(errors="replace")


def stop(state: Path) -> None:
    """Stop it (its queues stay if they are durable)."""
    processes.stop(state / "rabbitmq.pid")


def control(state: Path, port: int, *words: str, environment: Mapping[str, str] | None = None) -> str:
    """Run rabbitmqctl on this node and answer what it printed."""
    done = subprocess.run(
        ["/usr/lib/rabbitmq/bin/rabbitmqctl", *words], check=True, capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **_environment(state, port), **(environment or {})},
    )
    return done.stdout
