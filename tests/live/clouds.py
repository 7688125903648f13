"""Whole clouds for live tests: brought up by devstack, asked by the stock clients, and looked over when a test is done."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import openstack
import pytest
import sqlalchemy as sa

from devstack import processes
from devstack.settings import STANDARD_PORTS, Settings
from devstack.stack import Stack
from novalike import conf as configuration
from novalike.agents.network import names
from novalike.db import audit, connections, tasks
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow, HostDebtRow
from novalike.db.models.networks import NetworkRow, PortRow
from novalike.hardware.capacity import Ratios

#: The SDK warns of what it will drop, while it uses that itself.
SDK_WARNS = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::openstack.warnings.OpenStackDeprecationWarning")
OPENSTACK = Path(sys.executable).parent / "openstack"


#: What tests measured, shown at the end of the run.
MEASURED: list[str] = []


def measured(text: str) -> None:
    """Show this at the end of the run."""
    MEASURED.append(text)


def free_ports() -> dict[str, int]:
    """Answer ports for a stack's servers."""
    return {name: processes.free_port() for name in STANDARD_PORTS}


def until(what: str, condition: Callable[[], Any], seconds: float, *, pause: float = 0.2) -> Any:
    """Wait until `condition()` is true and answer it; fail with `what` and the last answer after so many seconds."""
    give_up = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < give_up, f"not within {seconds:g} s: {what}; last: {answer!r}"
        time.sleep(pause)


class Refused(Exception):
    """What the openstack client said when it failed."""


class Cloud:
    """A stack of devstack's, and what tests do with it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.stack = Stack(state)

    def up(self, settings: Settings) -> None:
        """Bring it up."""
        self.stack.up(settings)

    def down(self) -> None:
        """End everything of it, and close what was opened to look at it."""
        self.close()
        self.stack.down(purge=True)

    def close(self) -> None:
        """Close what was opened to look at it."""
        for name in ("admin", "demo"):
            if name in self.__dict__:
                self.__dict__[name].close()
        if "cells" in self.__dict__:
            connections.close(self.cells)

    # -- clients

    @cached_property
    def admin(self) -> Any:
        """openstacksdk as the administrator."""
        return self.connect("novalike-admin")

    @cached_property
    def demo(self) -> Any:
        """openstacksdk as a user."""
        return self.connect("novalike")

    def connect(self, name: str, **settings: Any) -> Any:
        """Answer a new connection of openstacksdk."""
        found = openstack.config.OpenStackConfig(config_files=[str(self.state / "clouds.yaml")], load_envvars=False)
        return openstack.connection.Connection(config=found.get_one(cloud=name, **settings))

    def cli(self, *words: str, user: str = "admin", seconds: float = 60) -> Any:
        """Run the openstack client; answer its JSON, or its text where it prints none. Raises Refused with what it says."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        environment |= {
            "OS_CLIENT_CONFIG_FILE": str(self.state / "clouds.yaml"), "PYTHONWARNINGS": "ignore",
            "OS_CLOUD": "novalike-admin" if user == "admin" else "novalike",
        }
        done = subprocess.run(
            [str(OPENSTACK), *words], capture_output=True, text=True, timeout=seconds, check=False, env=environment, cwd="/",
        )
        if done.returncode != 0:
            raise Refused(f"openstack {' '.join(words)}: {done.stdout}{done.stderr}")
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def wait(self, server_id: str, *statuses: str, seconds: float = 60) -> Any:
        """Wait until a server has one of these statuses and no task; answer it. Fails at once on ERROR, unless that is wanted."""
        def look() -> Any:
            server = self.admin.compute.get_server(server_id)
            if server.status == "ERROR" and "ERROR" not in statuses:
                raise AssertionError(f"server {server.name} is in ERROR: {server.fault}")
            return server if server.status in statuses and server.task_state is None else None
        try:
            return until(f"server {server_id} is {' or '.join(statuses)}", look, seconds)
        except AssertionError as error:
            server = self.admin.compute.get_server(server_id)
            raise AssertionError(f"{error}; it is {server.status}, {server.task_state}, on {server.compute_host}") from None

    def wait_gone(self, server_id: str, *, seconds: float = 60) -> None:
        """Wait until a server is deleted."""
        until(f"server {server_id} is gone", lambda: self.admin.compute.find_server(server_id, all_projects=True) is None, seconds)

    def busy(self) -> list[Any]:
        """Answer the durable tasks which run."""
        return [task for database in self.cells for task in database.fetch(tasks.listed)]

    # -- daemons

    def kill(self, name: str) -> None:
        """kill -9 a daemon, and be sure that it is dead."""
        pid = self.stack.pid(name)
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        until(f"{name} dead", lambda: not processes.alive(pid), 5, pause=0.02)

    def start(self, name: str) -> None:
        """Start a daemon again."""
        self.stack.start(self.stack.daemon(name))

    # -- what is left

    @property
    def database_url(self) -> str:
        """Where its tables are."""
        settings = self.stack.settings
        if settings.shape == "embedded":
            return f"sqlite:///{self.state}/cloud/novalike.sqlite"
        return f"mysql+pymysql://root@127.0.0.1:{settings.ports['mariadb']}/novalike"

    @cached_property
    def cells(self) -> Any:
        """Its databases, to look into."""
        return connections.open_cells(configuration.load(database__connection=self.database_url))

    def nothing_left(self, *, seconds: float = 20) -> None:
        """Fail unless nobody's things vanish within some seconds: see `leftovers`."""
        give_up = time.monotonic() + seconds
        while found := list(self.leftovers()):
            assert time.monotonic() < give_up, "left behind:\n" + "\n".join(map(str, found))
            time.sleep(0.3)

    def leftovers(self) -> Iterator[str]:
        """Answer what nobody owns: rows (db.audit), debts, and on the hypervisors guests, files, taps and DHCP leases."""
        conf = configuration.load()
        ratios = Ratios(conf.initial_cpu_allocation_ratio, conf.initial_ram_allocation_ratio, conf.initial_disk_allocation_ratio)
        yield from (str(one) for one in audit.leftovers(self.cells, ratios=ratios, idle=True))
        live: set[str] = set()
        for database in self.cells:
            live |= database.fetch(lambda session: set(session.scalars(sa.select(ClaimRow.instance_uuid))))
            owed = database.fetch(lambda session: session.execute(sa.select(HostDebtRow.host, HostDebtRow.instance_uuid)).all())
            yield from (f"debt of {host}: {uuid}" for host, uuid in owed)
        if self.stack.settings.driver == "fake":
            yield from self._fake_guests(live)
        else:
            yield from self._guests()
            yield from self._network_pieces()

    def _fake_guests(self, live: set[str]) -> Iterator[str]:
        for file in self.state.rglob("guests.sqlite"):
            connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
            try:
                found = {uuid for (uuid,) in connection.execute("SELECT uuid FROM guests")}
            finally:
                connection.close()
            yield from (f"guest {uuid} in {file}" for uuid in found - live)

    def _guests(self) -> Iterator[str]:
        """Answer domains and files which no claim on their host is for; what a move put aside belongs to the other claim."""
        with next(iter(self.cells)).read() as session:
            claims = session.execute(
                sa.select(ComputeNodeRow.host, ClaimRow.instance_uuid).join(ComputeNodeRow, ComputeNodeRow.id == ClaimRow.compute_node_id),
            ).all()
        for number in range(1, self.stack.settings.computes + 1):
            host = f"node{number}"
            live = [uuid for on, uuid in claims if on == host]
            yield from (f"domain {uuid} on {host}" for uuid in set(self.virsh("list", "--all", "--uuid", node=number).split()) - set(live))
            moved = {f"{uuid}_resize" for on, uuid in claims if len([one for _, one in claims if one == uuid]) > 1}
            home = "cloud" if self.stack.settings.shape == "embedded" else f"compute{number}"
            for folder in self.state.glob(f"{home}/instances/*"):
                known = {*live, *moved, "locks", "compute_nodes", "snapshots"}
                if not folder.name.startswith(("_", ".")) and folder.name not in known:
                    yield f"files {folder}: {[file.name for file in folder.iterdir()] if folder.is_dir() else ''}"

    def _network_pieces(self) -> Iterator[str]:
        ports = self.cells.shared.fetch(lambda session: set(session.scalars(sa.select(PortRow.mac_address))))
        networks = self.cells.shared.fetch(lambda session: list(session.scalars(sa.select(NetworkRow.id))))
        bridges = {f"{names.BRIDGE}{names.short(network)}" for network in networks}     # other clouds may have theirs here
        shown = [
            link for number in range(1, self.stack.settings.computes + 1) for link in json.loads(subprocess.run(
                [*self.stack.enter(number), "ip", "-j", "link"], capture_output=True, text=True, check=True,
            ).stdout)
        ]
        for link in shown:
            if link["ifname"].startswith("tap") and link.get("master") in bridges:
                mac = "fa" + link["address"][2:]                      # libvirt gives a tap its guest's address, with fe in front
                if mac not in ports:
                    yield f"tap {link['ifname']} in {link['master']}"
        for leases in self.state.glob("*/network/*/leases"):
            for line in leases.read_text().splitlines():
                words = line.split()
                if len(words) >= 4 and words[1] not in ports and words[0] != "duid":
                    yield f"DHCP lease {line} in {leases}"

    def hypervisor(self, node: int = 1) -> str:
        """Answer the URI of a compute host's libvirtd."""
        return f"qemu:///system?socket={self.state}/node{node}/libvirt/run/libvirt-sock"

    def virsh(self, *words: str, node: int = 1) -> str:
        """Run virsh on the libvirtd of a compute host."""
        return subprocess.run(["virsh", "-q", "-c", self.hypervisor(node), *words], capture_output=True, text=True, check=True, timeout=30).stdout
