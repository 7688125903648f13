"""Real Keystone, Glance and Neutron for the shape `dropin`: from PyPI, in a virtual environment and with databases of their own.

What runs: memcached, one uWSGI each for the three APIs, Neutron's RPC server, and for its agents the pretended one
(pretended_agent.py) or, where guests are real, real ones on every compute host (network_nodes.py).
"""

from __future__ import annotations

import concurrent.futures
import fcntl
import hashlib
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from devstack import processes
from devstack.client import Client
from devstack.network_nodes import NetworkNode, physical_bridge, physical_down, started
from devstack.nodes import Node
from devstack.progress import step
from devstack.settings import Settings
from novalike.objects.flavor import USUAL

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "neighbours.txt"
#: Users of the services, all in the project `service` with the roles admin and service.
ACCOUNTS = ("novalike", "glance", "neutron")
#: Module, a path which answers anybody, and what names the configuration to it (variable -> file or folder).
APIS = {
    "identity": ("keystone.wsgi.api:application", "/v3", {"OS_KEYSTONE_CONFIG_DIR": "identity"}),
    "image": ("glance.wsgi.api:application", "/versions", {"OS_GLANCE_CONFIG_DIR": "image"}),
    "network": ("neutron.wsgi.api:application", "/", {"OS_NEUTRON_CONFIG_DIR": "network", "OS_NEUTRON_CONFIG_FILES": "neutron.conf"}),
}
NAMES = ("memcached", "identity", "image", "network", "network-rpc")
PRETENDED = "network-agent"


def environment_folder() -> Path:
    """Where the virtual environment lies: NOVALIKE_DROPIN_VENV, else .venv-dropin in the checkout, for all stacks."""
    return Path(os.environ.get("NOVALIKE_DROPIN_VENV") or HERE.parent / ".venv-dropin")


def install() -> Path:
    """Make the virtual environment unless it has what neighbours.txt lists; answer it. Minutes, the first time.

    Raises RuntimeError with the end of pip's words.
    """
    folder = environment_folder()
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:32]
    stamp = folder / ".stamp"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)         # another stack may be installing
        if not stamp.exists() or stamp.read_text() != wanted:
            _run([sys.executable, "-m", "venv", str(folder)], "making a virtual environment", timeout=120)
            _run(
                [str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", "-r", str(REQUIREMENTS)],
                "installing Keystone, Glance and Neutron", timeout=1800,
            )
            stamp.write_text(wanted)
    return folder


class Neighbours:
    """The real services of a stack in STATE/neighbours."""

    def __init__(self, state: Path, settings: Settings) -> None:
        self._home = state / "neighbours"
        self._settings = settings
        self._environment = environment_folder()

    def up(self, database_url: str, broker_url: str, hosts: list[str]) -> None:
        """Start what does not run; `hosts` are those for which the pretended agent speaks, if any. Fine when all of it is up."""
        with step("Keystone, Glance and Neutron installed"):
            install()
        self._home.mkdir(parents=True, exist_ok=True)
        self._configure(database_url, broker_url, hosts)
        with step("memcached"):
            self._memcached()
        with step("databases of Keystone, Glance and Neutron"):
            self._databases(database_url)
        with step("Keystone"):
            self._wait("identity", self._serve("identity"))
        with step("accounts and catalog"):
            self._accounts()
        with step("Glance and Neutron"):
            begun = {name: self._serve(name) for name in ("image", "network")}
            self._rpc_server()
            if hosts:
                self._agent()
            for name, pid in begun.items():
                self._wait(name, pid)
            if hosts:
                self._wait_for_agents(len(hosts), self.log(PRETENDED))

    def up_nodes(self, found: list[Node]) -> None:
        """Start real agents on compute hosts; fine when they run."""
        nodes = self._nodes()
        for node, place in zip(found, nodes, strict=True):
            place.up(node)
        (self._home / "physical").write_text(physical_bridge(found[0]))
        self._wait_for_agents(sum(started(place.names) for place in nodes), nodes[0].log("ovs"))

    def start(self, name: str) -> int:
        """Start one of them again (NAMES, PRETENDED); answer its pid once it answers."""
        if name == "memcached":
            return self._memcached()
        if name in APIS:
            pid = self._serve(name)
            self._wait(name, pid)
            return pid
        return self._rpc_server() if name == "network-rpc" else self._agent()

    def status(self) -> list[tuple[str, int | None]]:
        """Answer every process with its pid, None for one that does not run."""
        names = NAMES if self._nodes() else (*NAMES, PRETENDED)
        agents = [(f"{name}{number}", node.pid(name)) for number, node in enumerate(self._nodes(), 1) for name in node.names]
        return [*((name, self.pid(name)) for name in names), *agents]

    def pid(self, name: str) -> int | None:
        """Answer the pid of one which runs."""
        return processes.read_pid(self._home / "run" / f"{name}.pid")

    def log(self, name: str) -> Path:
        """Answer its log file."""
        return self._home / "run" / f"{name}.log"

    def stop(self, name: str) -> None:
        """End one of them."""
        processes.stop(self._home / "run" / f"{name}.pid")

    def down(self) -> None:
        """End all of them; what they stored stays."""
        processes.stop_all([self._home / "run" / f"{name}.pid" for name in (PRETENDED, *reversed(NAMES))], timeout=15)

    # -- processes

    def _start(self, name: str, command: list[str], **environment: str) -> int:
        path = f"{self._environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        # Not ours: with this checkout on the path a module of theirs might find one of ours.
        return processes.start(
            name, command, self._home / "run", environment={"PYTHONPATH": "", "PATH": path, "OS_CLIENT_CONFIG_FILE": "", **environment},
        )

    def _memcached(self) -> int:
        port = self._settings.ports["memcached"]
        command = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-m", "64", "-U", "0"]
        pid = self._start("memcached", [*command, "-u", "root"] if os.geteuid() == 0 else command)
        processes.wait_for("memcached", lambda: processes.listens(port), log=self.log("memcached"), pid=pid, timeout=10)
        return pid

    def _serve(self, name: str) -> int:
        module, _path, variables = APIS[name]
        found = {key: value if value.endswith(".conf") else str(self._home / value) for key, value in variables.items()}
        return self._start(name, [
            str(self._environment / "bin" / "uwsgi"), "--http-socket", f"{self._settings.address}:{self._settings.ports[name]}",
            "--module", module, "--master", "--processes", "1", "--threads", "8", "--enable-threads", "--lazy-apps", "--need-app",
            "--buffer-size", "65535", "--die-on-term", "--thunder-lock", "--add-header", "Connection: close", "--so-keepalive",
            "--disable-logging", "--log-4xx", "--log-5xx", "--http-socket-modifier1", "0", "--procname-prefix", f"{name} ",
        ], **found)

    def _rpc_server(self) -> int:
        return self._start("network-rpc", [str(self._environment / "bin" / "neutron-rpc-server"), *self._neutron_files()])

    def _agent(self) -> int:
        # -I: no folder of ours on its path.
        return self._start("network-agent", [
            str(self._environment / "bin" / "python"), "-I", str(HERE / "pretended_agent.py"), *self._neutron_files(),
        ])

    def _neutron_files(self) -> list[str]:
        return ["--config-file", str(self._home / "network" / "neutron.conf")]

    def down_nodes(self) -> None:
        """End the agents on compute hosts, with all that they started: before their nodes go."""
        for node in self._nodes():
            node.down()
        if (self._home / "physical").exists():
            physical_down((self._home / "physical").read_text())

    def _nodes(self) -> list[NetworkNode]:
        if self._settings.driver == "fake":
            return []
        return [
            NetworkNode(self._home / f"node{number}", self._environment, self._home / "network" / "agents.conf", number)
            for number in range(1, self._settings.computes + 1)
        ]

    def _wait_for_agents(self, count: int, log: Path) -> None:
        admin = self._admin()

        def alive() -> bool:
            return len(admin.ask("GET", "network", "/v2.0/agents?alive=true")["agents"]) >= count
        processes.wait_for("agents of Neutron", alive, timeout=90, log=log)

    def _wait(self, name: str, pid: int) -> None:
        def ready() -> bool:
            try:
                with urllib.request.urlopen(f"{self._url(name)}{APIS[name][1]}", timeout=10) as answer:
                    return bool(answer.status < 400)
            except OSError:                      # URLError is one
                return False
        processes.wait_for(f"the real {name} service", ready, timeout=120, log=self.log(name), pid=pid)

    def _url(self, name: str) -> str:
        return f"http://{self._settings.address}:{self._settings.ports[name]}"

    # -- databases and accounts

    def _databases(self, url: str) -> None:
        """Make and upgrade the schemas at once; what was upgraded to this release once is not looked at again (10 s of CPU)."""
        stamp, wanted = self._home / "databases", (self._environment / ".stamp").read_text()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            for name in ("keystone", "glance", "neutron"):
                connection.exec_driver_sql(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4")
        engine.dispose()
        bin_folder = self._environment / "bin"
        keystone = [str(bin_folder / "keystone-manage"), "--config-file", str(self._home / "identity" / "keystone.conf")]

        def keystone_first() -> None:
            _run([*keystone, "db_sync"], "Keystone's schema", timeout=300)
            owner = ["--keystone-user", "root", "--keystone-group", "root"] if os.geteuid() == 0 else []
            for kind in ("fernet_setup", "credential_setup"):
                _run([*keystone, kind, *owner], "Keystone's keys", timeout=60)
            base = self._url("identity")
            _run([
                *keystone, "bootstrap", "--bootstrap-region-id", "RegionOne", "--bootstrap-public-url", f"{base}/v3",
                "--bootstrap-internal-url", f"{base}/v3", "--bootstrap-admin-url", f"{base}/v3",
            ], "Keystone's administrator", timeout=120, OS_BOOTSTRAP_PASSWORD=self._settings.admin_password)
        with concurrent.futures.ThreadPoolExecutor() as together:
            jobs = [
                together.submit(keystone_first),
                together.submit(_run, [str(bin_folder / "glance-manage"), "--config-file", str(self._home / "image" / "glance-api.conf"), "db_sync"],
                                "Glance's schema", timeout=300),
                together.submit(_run, [str(bin_folder / "neutron-db-manage"), *self._neutron_files(), "upgrade", "heads"],
                                "Neutron's schema", timeout=300),
            ]
            for job in jobs:
                job.result()
        stamp.write_text(wanted)

    def _admin(self) -> Client:
        return Client(f"{self._url('identity')}/v3", "admin", self._settings.admin_password, "admin")

    def _accounts(self) -> None:
        """Make projects, users, and the catalog's entries; what is there stays."""
        ask = _Keystone(self._admin())
        roles = {role["name"]: role["id"] for role in ask.list("roles")}
        service, demo = ask.need("project", "service"), ask.need("project", "demo")
        for name in ACCOUNTS:
            user = ask.need("user", name, password=self._settings.service_password)
            for role in ("admin", "service"):
                ask.grant(service, user, roles.get(role) or ask.need("role", role, domain_id=None))
        ask.grant(demo, ask.need("user", "demo", password=self._settings.demo_password), roles["member"])
        for kind, name, url in (
            ("compute", "novalike", f"{self._url('compute')}/v2.1"), ("image", "glance", self._url("image")), ("network", "neutron", self._url("network")),
        ):
            service_id = ask.need("service", name, domain_id=None, type=kind)
            there = {endpoint["interface"] for endpoint in ask.list(f"endpoints?service_id={service_id}")}
            for interface in {"public", "internal"} - there:
                ask.send("POST", "/endpoints", {"endpoint": {
                    "interface": interface, "service_id": service_id, "region_id": "RegionOne", "url": url,
                }})

    # -- configuration

    def account(self, name: str) -> dict[str, object]:
        """Answer the options by which a service logs in."""
        return {
            "auth_type": "password", "auth_url": f"{self._url('identity')}/v3", "username": name, "password": self._settings.service_password,
            "project_name": "service", "user_domain_id": "default", "project_domain_id": "default", "region_name": "RegionOne",
        }

    def token_checks(self, name: str) -> dict[str, object]:
        """Answer [keystone_authtoken] of a service."""
        return {
            **self.account(name), "www_authenticate_uri": f"{self._url('identity')}/v3", "service_token_roles": "service",
            "service_token_roles_required": True, "memcached_servers": f"127.0.0.1:{self._settings.ports['memcached']}",
            # A token which was revoked is believed for so long: Keystone is asked once in that time for each.
            "token_cache_time": 2,
        }

    def options(self) -> dict[str, object]:
        """Answer what novalike needs to know of the real services: an account, written as Nova's configuration has it."""
        account = self.account("novalike")
        return {
            **{f"keystone_authtoken.{name}": value for name, value in self.token_checks("novalike").items()},
            **{f"{section}.{name}": value for section in ("service_user", "neutron") for name, value in account.items() if (section, name) != ("service_user", "region_name")},
            **{f"{section}.region_name": "RegionOne" for section in ("glance", "keystone")},
        }

    def _configure(self, database_url: str, broker_url: str, hosts: list[str]) -> None:
        share = self._environment / "etc"
        self._write("identity/keystone.conf", {
            "database": {"connection": f"{database_url}keystone"},
            "token": {"provider": "fernet", "expiration": 14400, "allow_expired_window": 172800},
            "fernet_tokens": {"key_repository": self._home / "identity" / "fernet"},
            "credential": {"key_repository": self._home / "identity" / "credentials"},
            "identity": {"password_hash_rounds": 4},     # passwords of a laboratory: a login shall not cost 0.3 s of CPU
            "cache": {
                "enabled": True, "backend": "dogpile.cache.pymemcache", "memcache_servers": f"127.0.0.1:{self._settings.ports['memcached']}",
            },
            "DEFAULT": {"public_endpoint": self._url("identity")},
        })
        stores = self._home / "image"
        self._write("image/glance-api.conf", {
            "DEFAULT": {"enabled_backends": "files:file", "show_image_direct_url": False, "enabled_import_methods": "[glance-direct]"},
            "database": {"connection": f"{database_url}glance"}, "keystone_authtoken": self.token_checks("glance"),
            "paste_deploy": {"flavor": "keystone", "config_file": share / "glance" / "glance-api-paste.ini"},
            "glance_store": {"default_backend": "files"}, "files": {"filesystem_store_datadir": stores / "images"},
            "os_glance_staging_store": {"filesystem_store_datadir": stores / "staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": stores / "tasks"},
        })
        self._configure_neutron(database_url, broker_url, hosts)

    def _configure_neutron(self, database_url: str, broker_url: str, hosts: list[str]) -> None:
        home = self._home / "network"
        # VXLAN is what Open vSwitch's agents do everywhere; its packets find no way out of one which forwards in user space.
        kind, options = ("vxlan", {"vni_ranges": "1:10000"}) if hosts else ("vlan", {"network_vlan_ranges": "physnet1:100:999"})
        self._write("network/neutron.conf", {
            "DEFAULT": {
                "core_plugin": "ml2", "service_plugins": "router", "transport_url": broker_url, "rpc_workers": 1, "rpc_state_report_workers": 1,
                "api_paste_config": self._environment / "etc" / "neutron" / "api-paste.ini", "state_path": home, "agent_down_time": 75,
                "notify_nova_on_port_status_changes": True, "notify_nova_on_port_data_changes": True, "send_events_interval": 1,
                "dhcp_agent_notification": not hosts, "global_physnet_mtu": 1500,
            },
            "database": {"connection": f"{database_url}neutron"}, "keystone_authtoken": self.token_checks("neutron"),
            "nova": self.account("neutron"), "oslo_concurrency": {"lock_path": home / "locks"},
            "ml2": {
                "type_drivers": f"flat,{kind}", "tenant_network_types": kind, "mechanism_drivers": "openvswitch",
                "extension_drivers": "port_security", "overlay_ip_version": 4,
            },
            f"ml2_type_{kind}": options, "ml2_type_flat": {"flat_networks": "*"},
            "pretended": {"hosts": ",".join(hosts)},
        })
        # Agents on hypervisors have no database.
        self._write("network/agents.conf", {"DEFAULT": {"core_plugin": "ml2", "transport_url": broker_url, "debug": False}})

    def _write(self, name: str, sections: dict[str, dict[str, object]]) -> None:
        file = self._home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text("".join(
            f"[{section}]\n" + "".join(f"{option} = {value}\n" for option, value in options.items()) + "\n" for section, options in sections.items()
        ))


def make_flavors(client: Client) -> None:
    """Make the usual flavors which are not there: elsewhere the bootstrap of our own accounts does it."""
    there = {flavor["name"] for flavor in client.ask("GET", "compute", "/flavors")["flavors"]}
    for flavor in USUAL:
        if flavor.name not in there:
            body = {"id": flavor.flavorid, "name": flavor.name, "vcpus": flavor.vcpus, "ram": flavor.memory_mb, "disk": flavor.root_gb}
            client.ask("POST", "compute", "/flavors", {"flavor": body}, version="2.1")


class _Keystone:
    """What is made in Keystone, unless it is there."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, method: str, path: str, body: Any = None) -> Any:
        return self._client.ask(method, "identity", path, body)

    def list(self, collection: str) -> list[dict[str, Any]]:
        return list(self.send("GET", f"/{collection}")[collection.partition("?")[0]])

    def need(self, kind: str, name: str, **values: Any) -> str:
        """Answer the id of a thing of this name, which is made if there is none."""
        there = next((one["id"] for one in self.list(f"{kind}s") if one["name"] == name), None)
        if there is not None:
            return str(there)
        body = {"name": name, "domain_id": "default", **values}
        return str(self.send("POST", f"/{kind}s", {kind: {k: v for k, v in body.items() if v is not None}})[kind]["id"])

    def grant(self, project: str, user: str, role: str) -> None:
        self.send("PUT", f"/projects/{project}/users/{user}/roles/{role}")


def _run(command: list[str], what: str, *, timeout: float, **environment: str) -> None:
    """Run to the end. Raises RuntimeError with the end of its words."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, cwd="/",
        env={**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": "ignore", **environment},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{what} failed:\n{(done.stdout + done.stderr)[-3000:]}")
