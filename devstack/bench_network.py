"""What port security costs on a host: from a change in the API's terms to rules in the kernel's packet filter.

A host of its own (a network namespace) with 200 ports, the network service on SQLite, and the agent's worker; only messages are left
out: the agent is rung by a call. Bridges and DHCP are not part of it. Needs root.
"""

from __future__ import annotations

from novalike import concurrency

if __name__ == "__main__":
    concurrency.setup()                          # as the daemon does

import functools
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from devstack.accounting import percentile
from novalike import conf as configuration
from novalike.agents.network.desired import Desired
from novalike.agents.network.firewall import Firewall
from novalike.agents.network.worker import Worker
from novalike.clock import Clock
from novalike.conductor.desired_state import DesiredStateEndpoint
from novalike.context import RequestContext
from novalike.db import migrations
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.network.local.service import LocalNetworks

PORTS, RULES, MEMBERS, ROUNDS = 200, 1000, 1000, 10
HOST = "host"
ADMIN = RequestContext(user_id="admin", project_id="p" * 32, roles=("admin", "member", "reader"), is_admin=True)


class Hands:
    """The agent's hands, of which only port security is measured."""

    def __init__(self, desired: Desired) -> None:
        self.firewall = Firewall("bench")
        self.applied = threading.Event()
        self._desired = desired

    def survey(self) -> None:
        """Nothing to find."""

    def apply(self, changed: set[str], gone: set[str], *, thorough: bool = False) -> bool:
        """Apply port security."""
        networks = list(self._desired.networks.values())
        if self.firewall.ensure(networks, self._desired.groups, self._desired.members, thorough=thorough):
            self.applied.set()
        return True

    def close(self) -> None:
        """Nothing to close."""


class Bench:
    """The measurements."""

    def __init__(self, folder: Path) -> None:
        database = Database(f"sqlite:///{folder}/bench.db")
        cells, clock, conf = Cells.single(database), Clock(), configuration.load()
        migrations.sync(cells)
        for name in ("port", "security_group", "security_group_rule"):
            conf.set_override(f"quota_{name}", -1, group="network")
        self.desired = Desired()
        self.hands = Hands(self.desired)
        self.worker = Worker(HOST, DesiredStateEndpoint(cells, clock), self.desired, self.hands, clock)
        self.local = LocalNetworks(conf, cells, clock, ring=lambda _, revision: self.worker.ring(revision))
        self.network = self.local.networks.create(ADMIN, [{"name": "bench"}])[0].id
        self.local.subnets.create(ADMIN, [{"network_id": self.network, "cidr": "10.0.0.0/16"}])

    def run(self) -> dict[str, Any]:
        """Do all of it."""
        groups = self.local.security_groups
        web, clients = (group.id for group in groups.create(ADMIN, [{"name": "web"}, {"name": "clients"}]))
        self.ports(PORTS, [web], HOST)
        self.worker.start()
        assert self.hands.applied.wait(60)
        rows = {f"a rule of {PORTS} ports": self.rounds(lambda number: self.rule(web, number))}
        self.wait(lambda: groups.create_rules(ADMIN, [self.values(web, number) for number in range(100, 100 + RULES)]))
        rows[f"a rule beside {RULES} others"] = self.rounds(lambda number: self.rule(web, number + 20))
        self.ports(MEMBERS, [clients], "")
        self.wait(lambda: groups.create_rules(ADMIN, [{"security_group_id": web, "direction": "ingress", "remote_group_id": clients}]))
        rows[f"a member beside {MEMBERS} others"] = self.rounds(lambda _: self.ports(1, [clients], ""))
        rows[f"a port beside {PORTS} others"] = self.rounds(lambda _: self.ports(1, [web], HOST))
        self.worker.stop()
        used = cpu()
        for _ in range(ROUNDS):
            self.worker.look_at_everything()
            self.worker.once()
        whole = (cpu() - used) / ROUNDS
        return {
            "changes": rows, "comparison": {"ports": PORTS, "rules": RULES, "members": MEMBERS, "cpu": whole},
        }

    def rounds(self, change: Callable[[int], object]) -> dict[str, float]:
        """Make a change several times; answer the median and the worst time until it is applied, and CPU seconds of all of it."""
        used = cpu()
        times = sorted(self.wait(functools.partial(change, number)) for number in range(ROUNDS))
        return {"p50": percentile(times, 0.5), "worst": times[-1], "cpu": (cpu() - used) / ROUNDS}

    def wait(self, change: Callable[[], object]) -> float:
        """Make a change and wait for it to be applied; answer how long that took, from before the change."""
        self.hands.applied.clear()
        begun = time.monotonic()
        change()
        assert self.hands.applied.wait(60), "it was not applied"
        return time.monotonic() - begun

    def ports(self, count: int, groups: Collection[str], host: str) -> None:
        given = {"network_id": self.network, "security_groups": tuple(groups), "host": host, "device_id": str(uuid.uuid4())}
        self.local.ports.create(ADMIN, [dict(given) for _ in range(count)])

    @staticmethod
    def values(group: str, number: int) -> dict[str, Any]:
        """Answer a rule which no other can be joined with."""
        return {
            "security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": 2 * number + 1,
            "port_range_max": 2 * number + 1, "remote_ip_prefix": f"172.16.{number % 250}.{number // 250}/32",
        }

    def rule(self, group: str, number: int) -> None:
        self.local.security_groups.create_rules(ADMIN, [self.values(group, number)])


def cpu() -> float:
    """Answer the CPU seconds of this process and of the commands it ran."""
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def measure() -> dict[str, Any]:
    """Measure in a host of its own; needs root."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/{name}", sys.executable, "-W", "ignore", "-m", "devstack.bench_network"], check=True, stdout=subprocess.PIPE, text=True,
        )
        return dict(json.loads(done.stdout))
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def show(found: dict[str, Any]) -> None:
    """Print what was measured."""
    console = Console()
    table = Table("change", "p50 ms", "worst ms", "CPU ms", title="until a change is in force (100 ms of it wait for others)")
    for name, row in found["changes"].items():
        table.add_row(name, *(f"{row[key] * 1000:.0f}" for key in ("p50", "worst", "cpu")))
    console.print(table)
    whole = found["comparison"]
    console.print(f"a comparison of everything ({whole['ports']} ports): {whole['cpu'] * 1000:.0f} ms CPU, {whole['cpu'] * 1e6 / whole['ports']:.0f} ms for 1000 ports")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as chosen:
        print(json.dumps(Bench(Path(chosen)).run()))
