"""Bring up, look at and take down a whole cloud on this machine.

    devstack/stack up [--shape embedded|single|dropin] [--driver libvirt|fake] [--computes N] [--state DIR]
    devstack/stack status|logs|down [--state DIR]

embedded: one process. single: MariaDB, RabbitMQ, libvirtd and one process per daemon. dropin: the same beside real
Keystone, Glance and Neutron. With the libvirt driver and several
computes, or in the shape dropin, each is a node of its own (network namespace, libvirtd, compute and network daemon). A second `up` starts only
what does not run.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
from dataclasses import dataclass, replace
from pathlib import Path

from devstack import credentials, libvirtd, mariadb, nodes, novnc, processes, rabbitmq
from devstack import settings as settings_module
from devstack.client import Client
from devstack.neighbours import Neighbours, make_flavors
from devstack.network_nodes import DATABASE
from devstack.progress import step
from devstack.settings import Settings

TOP = Path(__file__).resolve().parent.parent
CONTROL = ("scheduler", "conductor", "api")
PROXIES = ("novncproxy", "serialproxy")


@dataclass(frozen=True)
class Daemon:
    """One process of the stack: a module of novalike.cmd with its configuration files."""

    name: str
    module: str
    files: tuple[Path, ...] = ()
    arguments: tuple[str, ...] = ()
    enter: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """Answer what to run."""
        files = [word for file in self.files for word in ("--config-file", str(file))]
        return [*self.enter, sys.executable, "-m", f"novalike.cmd.{self.module}", *files, *self.arguments]


class Stack:
    """A stack in a state directory."""

    def __init__(self, state: Path) -> None:
        self.state = state.resolve()
        self.settings = Settings.load(self.state)

    # -- up

    def up(self, wanted: Settings) -> Client:
        """Start everything that does not run; answer an administrator's client which is logged in. Raises RuntimeError or
        TimeoutError with the end of the guilty log."""
        if wanted.shape == "embedded" and wanted.driver == "libvirt" and wanted.computes > 1:
            raise RuntimeError("one process runs the guests of one host; choose --shape single for several")
        self.settings = wanted
        if wanted.has_nodes:
            with step("network between nodes"):
                fabric = nodes.fabric_up(self.state)
            address = fabric.address if wanted.has_servers else fabric.node_address(1)
            self.settings = wanted = replace(wanted, address=address)
        wanted.save(self.state)
        credentials.write(wanted, self.state)
        return self._up_embedded() if wanted.shape == "embedded" else self._up_single()

    def _up_embedded(self) -> Client:
        settings = self._settings()
        # Command line options stand in the file, too: everybody can read a process's arguments.
        shared: dict[str, object] = {
            "DEFAULT.state_dir": self.state / "cloud", "DEFAULT.state_path": self.state / "cloud",   # state_path: for novalike-manage
            "DEFAULT.listen": settings.address, "DEFAULT.port": settings.ports["compute"],
            "DEFAULT.driver": settings.driver, "DEFAULT.computes": settings.computes,
            "DEFAULT.admin_password": settings.admin_password, "DEFAULT.demo_password": settings.demo_password,
        }
        if settings.driver == "libvirt":
            with step("libvirtd"):
                shared["libvirt.connection_uri"] = self._up_hypervisor(1)[0]
            shared["network.agent_state_path"] = self.state / "cloud" / "network"
            shared |= {
                "vnc.novncproxy_port": settings.ports["novnc"], "serial_console.serialproxy_port": settings.ports["serial"],
                **self._console_page(),
            }
        self._write("novalike.conf", shared)
        with step("novalike-all"):
            self.start(self.daemons()[0])
            client = self.wait_for_apis()
            self._wait_for_computes(settings.computes, client)
        return client

    def _up_single(self) -> Client:
        settings = self._settings()
        with concurrent.futures.ThreadPoolExecutor() as together, step("MariaDB and RabbitMQ"):
            database = together.submit(mariadb.start, self.state / "mariadb", settings.ports["mariadb"])
            broker = together.submit(
                rabbitmq.start, self.state / "rabbitmq", settings.ports["rabbitmq"], address=settings.address, user="novalike",
                password=settings.broker_password,
            )
            database_url, broker_url = database.result(), broker.result()
        if settings.shape == "dropin":
            self.neighbours().up(database_url, broker_url, self._fake_hosts() if settings.driver == "fake" else [])
        shared = {
            "DEFAULT.state_path": self.state / "cloud", "DEFAULT.transport_url": broker_url, "database.connection": f"{database_url}novalike",
            "DEFAULT.osapi_compute_listen_port": settings.ports["compute"], "DEFAULT.metadata_listen_port": settings.ports["metadata"],
            "DEFAULT.identity_listen_port": settings.ports["identity"], "DEFAULT.image_listen_port": settings.ports["image"],
            "DEFAULT.network_listen_port": settings.ports["network"],
            **{f"DEFAULT.{name}_listen": settings.address for name in ("osapi_compute", "metadata", "identity", "image", "network")},
            "endpoints.compute": f"http://{settings.address}:{settings.ports['compute']}/v2.1",
            "endpoints.identity": f"http://{settings.address}:{settings.ports['identity']}/v3",
            "endpoints.image": f"http://{settings.address}:{settings.ports['image']}",
            "endpoints.network": f"http://{settings.address}:{settings.ports['network']}",
            "identity.public_endpoint": f"http://{settings.address}:{settings.ports['identity']}",
            "neutron.metadata_proxy_shared_secret": settings.broker_password,
        }
        beside = self.neighbours().options() if settings.shape == "dropin" else {}
        shared |= beside
        if settings.driver == "libvirt":
            shared |= {
                "vnc.novncproxy_host": settings.address, "vnc.novncproxy_port": settings.ports["novnc"],
                "serial_console.serialproxy_host": settings.address, "serial_console.serialproxy_port": settings.ports["serial"],
                **self._console_page(),
            }
        self._write("novalike.conf", shared)
        with step("database schema and accounts"):
            self._prepare_database(database_url)
        # A hypervisor gets the broker's address and nothing of the database.
        hypervisor = {
            **beside, "DEFAULT.transport_url": broker_url, "network.metadata_host": settings.address, "network.metadata_port": settings.ports["metadata"],
            "neutron.metadata_proxy_shared_secret": settings.broker_password,
            "vnc.novncproxy_base_url": f"http://{settings.address}:{settings.ports['novnc']}/vnc_lite.html",
            "serial_console.enabled": settings.driver == "libvirt",
            "serial_console.base_url": f"ws://{settings.address}:{settings.ports['serial']}/",
        }
        if settings.shape == "dropin":
            # No agent answers guests' requests for metadata here.
            hypervisor |= {"os_vif_ovs.ovsdb_connection": DATABASE, "DEFAULT.force_config_drive": True}
        for number in range(1, settings.computes + 1) if settings.driver == "libvirt" else ():
            with step(f"libvirtd {number}" if settings.computes > 1 else "libvirtd"):
                self._up_node(number, hypervisor)
        if settings.shape == "dropin" and settings.driver == "libvirt":
            with step("Open vSwitch and Neutron's agents"):
                fabric = nodes.fabric_up(self.state)
                self.neighbours().up_nodes([nodes.up(fabric, self.state, number) for number in range(1, settings.computes + 1)])
        if settings.driver == "fake":
            # An agent which makes nothing: routers have a host then, and ports become ACTIVE, as where networks are real.
            self._write("compute1.conf", {
                **hypervisor, "DEFAULT.compute_driver": "fake", "DEFAULT.state_path": str(self.state / "compute1"),
                "network.agent_driver": "none", "network.agent_state_path": str(self.state / "compute1" / "network"),
            })
        with step("novalike daemons"):
            for daemon in self.daemons():
                self.start(daemon)
            client = self.wait_for_apis()
            if settings.shape == "dropin":
                make_flavors(client)
        with step(f"{settings.computes} compute host{'s' if settings.computes > 1 else ''} up"):
            self._wait_for_computes(settings.computes, client)
        return client

    def neighbours(self) -> Neighbours:
        """Answer the real services of the shape dropin."""
        return Neighbours(self.state, self._settings())

    def _fake_hosts(self) -> list[str]:
        name, count = socket.gethostname(), self._settings().computes
        return [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]

    def _up_node(self, number: int, hypervisor: dict[str, object]) -> None:
        uri, own = self._up_hypervisor(number)
        home = self.state / f"compute{number}"
        self._write(f"compute{number}.conf", {
            **hypervisor, **own, "DEFAULT.compute_driver": "libvirt", "DEFAULT.state_path": str(home), "libvirt.connection_uri": uri,
            "network.agent_state_path": str(home / "network"),
        })

    def _up_hypervisor(self, number: int) -> tuple[str, dict[str, object]]:
        """Start a libvirtd; answer its URI and what its host is called."""
        if not self._settings().has_nodes:
            return libvirtd.start(self.state / "libvirt"), {}
        node = nodes.up(nodes.fabric_up(self.state), self.state, number)
        (self.state / f"node{number}" / "enter.json").write_text(json.dumps(node.enter))
        return node.libvirt_uri, {
            "DEFAULT.host": f"node{number}", "DEFAULT.my_ip": node.address, "console.relay_host": node.address,
            "network.local_ip": node.address,
        }

    def _console_page(self) -> dict[str, object]:
        """Answer the option which names noVNC's page, or none when there is no such page here."""
        with step("noVNC's page"):
            page = novnc.page()
        return {} if page is None else {"DEFAULT.web": page}

    def enter(self, number: int = 1) -> tuple[str, ...]:
        """Answer what to put before a command which shall run on compute host `number`; empty where that is this machine."""
        way = self.state / f"node{number}" / "enter.json"
        if not self._settings().has_nodes or not way.exists():       # a node which was taken down has none
            return ()
        return tuple(json.loads(way.read_text()))

    def daemons(self) -> list[Daemon]:
        """Answer the stack's own processes, in starting order."""
        settings = self._settings()
        conf = self.state / "novalike.conf"
        if settings.shape == "embedded":
            return [Daemon("all", "all", (conf,), (), self.enter())]
        found = [Daemon(name, name, (conf,)) for name in (*CONTROL, *(PROXIES if settings.driver == "libvirt" else ()))]
        if settings.driver == "fake":
            files = (self.state / "compute1.conf",)
            found += [Daemon("network1", "network", files)] if settings.shape != "dropin" else []
            return [*found, Daemon("compute1", "compute", files, ("--computes", str(settings.computes)))]
        for number in range(1, settings.computes + 1):
            enter = self.enter(number)
            files = (self.state / f"compute{number}.conf",)
            if settings.shape != "dropin":       # there Neutron's agents do it
                found.append(Daemon(f"network{number}", "network", files, (), enter))
            found.append(Daemon(f"compute{number}", "compute", files, (), enter))
        return found

    def daemon(self, name: str) -> Daemon:
        """Answer a daemon by name (all, api, scheduler, conductor, compute1, network1 ...). Raises KeyError."""
        return {daemon.name: daemon for daemon in self.daemons()}[name]

    def start(self, daemon: Daemon) -> int:
        """Start a daemon unless it runs; answer its pid."""
        environment = {
            "PYTHONPATH": f"{TOP}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep), "PYTHONUNBUFFERED": "1",
            # As on a machine where nobody set it (empty is unset): compiling novalike costs each daemon a second of CPU.
            "PYTHONDONTWRITEBYTECODE": "",
        }
        return processes.start(daemon.name, daemon.command(), self.state / "run", environment=environment)

    def end(self, name: str) -> None:
        """End a daemon gracefully; fine when it does not run."""
        processes.stop(self.state / "run" / f"{name}.pid")

    def pid(self, name: str) -> int | None:
        """Answer the pid of a daemon which runs."""
        return processes.read_pid(self.state / "run" / f"{name}.pid")

    def log(self, name: str) -> Path:
        """Answer a daemon's log file."""
        return self.state / "run" / f"{name}.log"

    def client(self, user: str = "admin") -> Client:
        """Answer a client of the stack's APIs."""
        settings = self._settings()
        password = settings.admin_password if user == "admin" else settings.demo_password
        return Client(settings.auth_url, user, password, user)

    def _settings(self) -> Settings:
        if self.settings is None:
            raise RuntimeError(f"there is no stack in {self.state}; run devstack/stack up")
        return self.settings

    def _write(self, name: str, values: dict[str, object]) -> None:
        sections: dict[str, list[str]] = {}
        for key, value in {**values, **self._settings().options}.items():
            section, _, option = key.partition(".")
            sections.setdefault(section, []).append(f"{option} = {value}")
        file = self.state / name
        file.touch(mode=0o600)
        file.write_text("".join(f"[{section}]\n" + "\n".join(lines) + "\n\n" for section, lines in sections.items()))

    def _prepare_database(self, url: str) -> None:
        settings = self._settings()
        import sqlalchemy as sa

        engine = sa.create_engine(url)
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE IF NOT EXISTS novalike CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        engine.dispose()
        manage = [sys.executable, "-m", "novalike.cmd.manage", "--config-file", str(self.state / "novalike.conf")]
        for words in (["db", "sync"], *([["identity", "bootstrap", "--flavors"]] if settings.shape != "dropin" else [])):
            done = subprocess.run(
                [*manage, *words], capture_output=True, text=True, timeout=120, check=False, cwd=TOP,
                env={**os.environ, "NOVALIKE_ADMIN_PASSWORD": settings.admin_password, "NOVALIKE_DEMO_PASSWORD": settings.demo_password},
            )
            if done.returncode != 0:
                raise RuntimeError(f"novalike-manage {' '.join(words)} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")

    def wait_for_apis(self) -> Client:
        """Wait until the APIs answer; answer a client which is logged in (each login costs a password hash, 0.3 s of CPU).

        Raises RuntimeError or TimeoutError with the end of the log.
        """
        client = self.client()
        name = self.daemons()[0].name if self._settings().shape == "embedded" else "api"

        def ready() -> bool:
            try:
                client.ask("GET", "compute", "/flavors")
            except (OSError, urllib.error.URLError, KeyError):
                return False
            return True
        processes.wait_for("the API", ready, timeout=60, log=self.log(name), pid=self.pid(name))
        return client

    def _wait_for_computes(self, count: int, client: Client) -> None:
        def ready() -> bool:
            services = client.ask("GET", "compute", "/os-services?binary=nova-compute")["services"]
            return sum(service["state"] == "up" for service in services) >= count
        name = "all" if self._settings().shape == "embedded" else "compute1"
        processes.wait_for("compute hosts", ready, timeout=60, log=self.log(name), pid=self.pid(name))

    # -- down, status

    def down(self, *, purge: bool = False) -> None:
        """Stop everything; with `purge` remove what it stored too."""
        settings = self._settings()
        with step("novalike daemons stopped"):
            processes.stop_all([self.state / "run" / f"{daemon.name}.pid" for daemon in self.daemons()], timeout=30)
        if settings.shape == "dropin":
            with step("Open vSwitch and Neutron's agents stopped"):
                self.neighbours().down_nodes()
        if settings.driver == "libvirt":
            with step("guests, libvirtd and networks removed"):
                self._down_hypervisors(settings)
        if settings.shape == "dropin":
            with step("Keystone, Glance and Neutron stopped"):
                self.neighbours().down()
        if settings.has_servers:
            with step("RabbitMQ and MariaDB stopped"):
                rabbitmq.stop(self.state / "rabbitmq")
                mariadb.stop(self.state / "mariadb")
        if purge:
            shutil.rmtree(self.state, ignore_errors=True)

    def _down_hypervisors(self, settings: Settings) -> None:
        if settings.has_nodes:
            fabric = nodes.fabric_up(self.state)
            kind = "all" if settings.shape == "embedded" else "network"
            agents = [daemon for daemon in self.daemons() if daemon.module == kind]      # a node's folder tells how to enter it
            for number in range(1, settings.computes + 1):
                libvirtd.stop(self.state / f"node{number}" / "libvirt")
                if number <= len(agents) and processes.read_pid(self.state / f"node{number}" / "holder.pid"):
                    self._remove_networks(agents[number - 1])
                nodes.down(fabric, self.state, number)
            nodes.fabric_down(fabric)
            return
        libvirtd.stop(self.state / "libvirt")
        self._remove_networks(self.daemon("all" if settings.shape == "embedded" else "network1"))

    @staticmethod
    def _remove_networks(agent: Daemon) -> None:
        """Remove what a network agent, which has ended, made: its DHCP servers would outlive even its namespaces."""
        command = replace(agent, module="network", arguments=("--remove",)).command()
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=TOP)
        if done.returncode != 0:
            raise RuntimeError(f"not everything of the networks could be removed:\n{(done.stdout + done.stderr)[-2000:]}")

    def status(self) -> list[tuple[str, int | None]]:
        """Answer every process of the stack with its pid, None for one that does not run."""
        rows = [(daemon.name, self.pid(daemon.name)) for daemon in self.daemons()]
        if self._settings().shape == "dropin":
            rows = [*self.neighbours().status(), *rows]
        if self._settings().has_servers:
            rows = [(name, processes.read_pid(self.state / name / f"{name}.pid")) for name in ("mariadb", "rabbitmq")] + rows
        return rows


def main(words: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="devstack/stack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("up", "down", "status", "logs"))
    parser.add_argument("name", nargs="?", help="logs: of this daemon only")
    parser.add_argument("--shape", choices=settings_module.SHAPES, help="default: embedded")
    parser.add_argument("--driver", choices=settings_module.DRIVERS, help="default: libvirt")
    parser.add_argument("--computes", type=int, help="compute hosts (default: 1): fake ones in any number, libvirt ones each as a node")
    parser.add_argument("--state", type=Path, default=TOP / ".stack", help="where everything of it lies (default: .stack)")
    parser.add_argument("--port-base", type=int, help="use consecutive ports from here instead of OpenStack's")
    parser.add_argument("--apart", action="store_true", default=None, help="libvirt: in a network namespace, so that nothing here is touched")
    parser.add_argument("--option", action="append", default=[], metavar="SECTION.NAME=VALUE", help="a configuration option for all daemons")
    parser.add_argument("--purge", action="store_true", help="down: remove the state directory too")
    parser.add_argument("--json", action="store_true", help="status: as JSON")
    given = parser.parse_args(words)
    stack = Stack(given.state)
    try:
        return _run(stack, given)
    except (RuntimeError, TimeoutError, KeyError) as error:
        print(f"devstack/stack: {error}", file=sys.stderr)
        return 1


def _wanted(before: Settings | None, given: argparse.Namespace) -> Settings:
    """Answer the settings which the command line asks for; what it leaves out stays as it was. Raises RuntimeError for a
    change which only a new stack can make."""
    options = dict(option.partition("=")[::2] for option in given.option)
    asked = {name: getattr(given, name) for name in ("shape", "driver", "computes", "apart") if getattr(given, name) is not None}
    if given.port_base is not None:
        asked["ports"] = settings_module.ports(given.port_base)
    if before is None:
        return Settings(**asked, options=options)
    differs = [name for name, value in asked.items() if getattr(before, name) != value]
    if differs:
        raise RuntimeError(
            f"there is a stack of another kind ({', '.join(differs)}) in {given.state}; take it down with --purge, or choose another --state",
        )
    return replace(before, options={**before.options, **options})


def _run(stack: Stack, given: argparse.Namespace) -> int:
    if given.command == "up":
        begun = time.monotonic()
        wanted = _wanted(stack.settings, given)
        stack.up(wanted)
        print(f"The cloud is up ({time.monotonic() - begun:.1f} s). To use it:  . {stack.state}/openrc", file=sys.stderr)
    elif given.command == "down":
        stack.down(purge=given.purge)
    elif given.command == "status":
        rows = stack.status()
        if given.json:
            print(json.dumps(dict(rows)))
        else:
            for name, pid in rows:
                print(f"{name:12} {f'runs, pid {pid}' if pid else 'does not run'}")
        return 0 if all(pid for _name, pid in rows) else 3
    else:
        names = [given.name] if given.name else [daemon.name for daemon in stack.daemons()]
        for name in names:
            print(f"==> {stack.log(name)} <==")
            print("\n".join(stack.log(name).read_text(errors="replace").splitlines()[-40:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
