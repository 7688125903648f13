"""A real Nova with its own fake driver beside a stack of the shape `dropin`, in novalike's place: at its endpoint, for its hosts.

The stack's own daemons must be down. What it stores is in the databases nova_api, nova_cell0, nova_cell1 and placement.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import sqlalchemy as sa

from devstack import processes
from devstack.client import Client
from devstack.progress import step
from devstack.stack import Stack

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "nova.txt"
DATABASES = ("nova_api", "nova_cell0", "nova_cell1", "placement")


def environment_folder() -> Path:
    """Where the virtual environment lies: NOVALIKE_NOVA_VENV, else .venv-nova in the checkout."""
    return Path(os.environ.get("NOVALIKE_NOVA_VENV") or HERE.parent / ".venv-nova")


def install() -> Path:
    """Make the virtual environment unless it has what nova.txt lists; answer it. Minutes, the first time."""
    folder = environment_folder()
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:32]
    stamp = folder / ".stamp"
    if not stamp.exists() or stamp.read_text() != wanted:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", "-r", str(REQUIREMENTS)])
        stamp.write_text(wanted)
    return folder


class RealNova:
    """Nova's services of a stack, in STATE/nova. `port` is Placement's."""

    def __init__(self, stack: Stack, *, port: int) -> None:
        if stack.settings is None or stack.settings.shape != "dropin":
            raise RuntimeError("a real Nova needs a stack of the shape dropin")
        self._stack, self._settings, self._port = stack, stack.settings, port
        self._home = stack.state / "nova"
        self._bin = environment_folder() / "bin"
        name, count = os.uname().nodename, self._settings.computes
        self.hosts = [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]
        self.database_url = f"mysql+pymysql://root@127.0.0.1:{self._settings.ports['mariadb']}/"

    def up(self) -> Client:
        """Install, configure and start it; answer an administrator's client."""
        with step("Nova and Placement installed"):
            install()
        self._configure()
        with step("databases of Nova and Placement"):
            self._databases()
        admin = self._stack.client()
        with step("Placement"):
            self._catalog(admin)
            pid = self._serve("placement", "placement.wsgi.api:application", self._port, OS_PLACEMENT_CONFIG_DIR=str(self._home))
            self._wait("placement", self._port, pid)
        with step("Nova"):
            pid = self._serve("nova-api", "nova.wsgi.osapi_compute:application", self._settings.ports["compute"], OS_NOVA_CONFIG_DIR=str(self._home))
            for name in ("conductor", "scheduler"):
                self._start(f"nova-{name}", [str(self._bin / f"nova-{name}"), *self._files()])
            for number, host in enumerate(self.hosts, 1):
                self._start(f"nova-compute-{number}", [str(self._bin / "nova-compute"), *self._files(), "--config-file", str(self._home / f"{host}.conf")])
            self._wait("nova-api", self._settings.ports["compute"], pid)

            def computes() -> bool:
                try:
                    found = admin.ask("GET", "compute", "/os-services?binary=nova-compute")["services"]
                except urllib.error.HTTPError:
                    return False
                return sum(service["state"] == "up" for service in found) >= len(self.hosts)
            processes.wait_for("Nova's compute services", computes, timeout=120, log=self._home / "run" / "nova-compute-1.log")
            self._manage("cell_v2", "discover_hosts")
        return admin

    def down(self) -> None:
        """End all of it; its databases stay."""
        processes.stop_all(sorted((self._home / "run").glob("*.pid")), timeout=20)

    def _start(self, name: str, command: list[str], **environment: str) -> int:
        path = f"{self._bin}{os.pathsep}{os.environ['PATH']}"
        return processes.start(name, command, self._home / "run", environment={"PYTHONPATH": "", "PATH": path, "OS_CLIENT_CONFIG_FILE": "", **environment})

    def _serve(self, name: str, module: str, port: int, **environment: str) -> int:
        return self._start(name, [
            str(self._bin / "uwsgi"), "--http-socket", f"127.0.0.1:{port}", "--module", module, "--master", "--processes", "1", "--threads", "8",
            "--enable-threads", "--lazy-apps", "--need-app", "--buffer-size", "65535", "--die-on-term", "--thunder-lock",
            "--add-header", "Connection: close", "--disable-logging", "--http-socket-modifier1", "0",
        ], **environment)

    def _wait(self, name: str, port: int, pid: int) -> None:
        def ready() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                    return bool(answer.status < 400)
            except OSError:
                return False
        processes.wait_for(name, ready, timeout=120, log=self._home / "run" / f"{name}.log", pid=pid)

    def _files(self) -> list[str]:
        return ["--config-file", str(self._home / "nova.conf")]

    def _manage(self, *words: str) -> None:
        _run([str(self._bin / "nova-manage"), *self._files(), *words])

    def _databases(self) -> None:
        if (self._home / "databases").exists():
            return
        engine = sa.create_engine(self.database_url)
        with engine.connect() as connection:
            for name in DATABASES:
                connection.exec_driver_sql(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb3")
        engine.dispose()
        _run([str(self._bin / "placement-manage"), "--config-file", str(self._home / "placement.conf"), "db", "sync"])
        self._manage("api_db", "sync")
        self._manage("cell_v2", "map_cell0", "--database_connection", f"{self.database_url}nova_cell0")
        self._manage("cell_v2", "create_cell", "--name", "cell1")
        self._manage("db", "sync")
        (self._home / "databases").touch()

    def _catalog(self, admin: Client) -> None:
        if any(service["type"] == "placement" for service in admin.ask("GET", "identity", "/services")["services"]):
            return
        service = admin.ask("POST", "identity", "/services", {"service": {"name": "placement", "type": "placement"}})["service"]
        for interface in ("public", "internal"):
            admin.ask("POST", "identity", "/endpoints", {"endpoint": {
                "interface": interface, "service_id": service["id"], "region_id": "RegionOne", "url": f"http://127.0.0.1:{self._port}",
            }})
        admin.token = ""

    def _configure(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        shutil.copy(environment_folder() / "etc/nova/api-paste.ini", self._home)
        neighbours = self._stack.neighbours()
        account = neighbours.account("novalike")
        broker = f"rabbit://novalike:{self._settings.broker_password}@127.0.0.1:{self._settings.ports['rabbitmq']}/"
        tokens = neighbours.token_checks("novalike")
        self._write("nova.conf", {
            "DEFAULT": {
                "transport_url": broker, "state_path": self._home, "compute_driver": "fake.MediumFakeDriver", "my_ip": "127.0.0.1",
                "reclaim_instance_interval": 86400, "osapi_compute_workers": 1, "host": self.hosts[0],
            },
            "api_database": {"connection": f"{self.database_url}nova_api"}, "database": {"connection": f"{self.database_url}nova_cell1"},
            "keystone_authtoken": tokens, "service_user": {**account, "send_service_user_token": True}, "neutron": account, "placement": account,
            "glance": {"region_name": "RegionOne"}, "keystone": account,
            "api": {"auth_strategy": "keystone"},
            "conductor": {"workers": 1}, "scheduler": {"workers": 1}, "oslo_concurrency": {"lock_path": self._home / "locks"},
            "quota": {"driver": "nova.quota.DbQuotaDriver"},
        })
        for host in self.hosts:
            self._write(f"{host}.conf", {"DEFAULT": {"host": host, "state_path": self._home / host}})
            (self._home / host).mkdir(exist_ok=True)
        self._write("placement.conf", {
            "placement_database": {"connection": f"{self.database_url}placement"}, "api": {"auth_strategy": "keystone"}, "keystone_authtoken": tokens,
        })

    def _write(self, name: str, sections: dict[str, dict[str, object]]) -> None:
        file = self._home / name
        file.touch(mode=0o600)
        file.write_text("".join(
            f"[{section}]\n" + "".join(f"{option} = {value}\n" for option, value in options.items()) + "\n" for section, options in sections.items()
        ))


def _run(command: list[str]) -> None:
    """Run to the end. Raises RuntimeError with the end of its words."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=1800, check=False, cwd="/",
        env={**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} failed:\n{(done.stdout + done.stderr)[-3000:]}")
