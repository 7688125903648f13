"""What a stack is: its shape, ports and passwords, kept in its state directory."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

SHAPES = ("embedded", "single", "dropin")
DRIVERS = ("libvirt", "fake")
#: What listens where unless a base port is chosen; OpenStack's ports for the APIs.
STANDARD_PORTS = {
    "compute": 8774, "metadata": 8775, "identity": 5000, "image": 9292, "network": 9696, "mariadb": 13306, "rabbitmq": 15673,
    "novnc": 6080, "serial": 6083, "memcached": 11212,
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One stack. `address` is where its APIs, broker and database listen (loopback, or the fabric's when it has nodes)."""

    shape: str = "embedded"
    driver: str = "libvirt"
    computes: int = 1
    address: str = "127.0.0.1"
    ports: dict[str, int] = field(default_factory=lambda: dict(STANDARD_PORTS))
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    demo_password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    broker_password: str = field(default_factory=lambda: secrets.token_hex(12))
    service_password: str = field(default_factory=lambda: secrets.token_hex(12))     # dropin: of the services' users
    apart: bool = False                          # a libvirt cloud in a network namespace of its own, even with one host
    options: dict[str, str] = field(default_factory=dict)   # section.option -> value, from --option

    @property
    def auth_url(self) -> str:
        """Where clients log in."""
        if self.shape == "embedded":
            return f"http://{self.address}:{self.ports['compute']}/identity/v3"
        return f"http://{self.address}:{self.ports['identity']}/v3"

    @property
    def has_servers(self) -> bool:
        """Whether MariaDB and RabbitMQ of its own run, and a process for each daemon."""
        return self.shape != "embedded"

    @property
    def has_nodes(self) -> bool:
        """Whether its compute hosts are pretended machines of their own."""
        return self.driver == "libvirt" and (self.computes > 1 or self.apart or self.shape == "dropin")

    def save(self, state: Path) -> None:
        """Keep them in the state directory, readable by its owner only."""
        state.mkdir(parents=True, exist_ok=True)
        file = state / "stack.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, state: Path) -> Settings | None:
        """Answer the settings of a state directory; None when there was never a stack."""
        try:
            kept = json.loads((state / "stack.json").read_text())
            return cls(**{**kept, "ports": {**STANDARD_PORTS, **kept.get("ports", {})}})
        except FileNotFoundError:
            return None


def ports(base: int | None) -> dict[str, int]:
    """Answer the ports of a stack: the standard ones, or consecutive ones from a base."""
    if base is None:
        return dict(STANDARD_PORTS)
    return {name: base + number for number, name in enumerate(STANDARD_PORTS)}
