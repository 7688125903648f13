"""Real agents of Neutron on the pretended compute hosts of the shape `dropin`: Open vSwitch and the agent which wires ports, on
the first one those for DHCP and routers too.

Open vSwitch forwards in user space (datapath type netdev), so that no module of the kernel is needed. A node's `br-ex` is the
physical network physnet1, which is a bridge outside the nodes: networks of projects are VLANs of it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devstack import processes
from devstack.nodes import Node

DATABASE = "tcp:127.0.0.1:6640"                  # a node has a loopback interface of its own
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
#: Seconds within which an agent has told of itself: these take some seconds of CPU each to start.
AGENTS = {"ovs": "neutron-openvswitch-agent", "dhcp": "neutron-dhcp-agent", "l3": "neutron-l3-agent"}


class NetworkNode:
    """What runs for Neutron on one compute host."""

    def __init__(self, home: Path, environment: Path, neutron_file: Path, number: int) -> None:
        """`home` is its own folder, `environment` where Neutron is installed, `neutron_file` neutron.conf of the server."""
        self._home, self._bin, self._neutron, self._number = home, environment / "bin", neutron_file, number
        self._run = home / "run"

    @property
    def names(self) -> tuple[str, ...]:
        """The processes: two of Open vSwitch, and agents."""
        return ("ovsdb", "vswitchd", "ovs", *(("dhcp", "l3") if self._number == 1 else ()))

    def up(self, node: Node) -> None:
        """Start what does not run. Raises RuntimeError, TimeoutError."""
        self._home.mkdir(parents=True, exist_ok=True)
        database = self._home / "conf.db"
        if not database.exists():
            _do("ovsdb-tool", "create", str(database), SCHEMA)
        pid = self._start("ovsdb", node, [
            "ovsdb-server", str(database), f"--remote=p{DATABASE.replace(':127.0.0.1:6640', ':6640:127.0.0.1')}",
            f"--remote=punix:{self._home}/db.sock", f"--unixctl={self._home}/ovsdb.ctl", "--no-chdir",
        ])
        processes.wait_for(
            "Open vSwitch's database", lambda: self.vsctl(node, "--no-wait", "--timeout=2", "init").returncode == 0, timeout=20,
            log=self.log("ovsdb"), pid=pid,
        )
        # Guests leave checksums to the host: with this they stand in the packets, or the receiver is told that they do not.
        self.vsctl(node, "--no-wait", "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=true", check=True)
        self._start("vswitchd", node, ["ovs-vswitchd", DATABASE, f"--unixctl={self._home}/vswitchd.ctl", "--no-chdir"])
        self._physical_network(node)
        self._configure()
        for name in self.names[2:]:
            self._start(name, node, [
                str(self._bin / AGENTS[name]), "--config-file", str(self._neutron), "--config-file", str(self._home / "agents.conf"),
            ])

    def vsctl(self, node: Node, *words: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run ovs-vsctl on the node."""
        return _do(*node.enter, "ovs-vsctl", f"--db={DATABASE}", *words, check=check)

    def log(self, name: str) -> Path:
        """Answer the log file of one of the processes."""
        return self._run / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """Answer the pid of one which runs."""
        return processes.read_pid(self._run / f"{name}.pid")

    def down(self) -> None:
        """End all of it, with the servers which the agents started."""
        processes.stop_all([self._run / f"{name}.pid" for name in reversed(self.names)], timeout=15)
        for file in (*self._home.glob("dhcp/*/pid"), *self._home.glob("external/pids/**/*.pid")):
            _end(file)

    def _start(self, name: str, node: Node, command: list[str]) -> int:
        path = f"{self._bin}{os.pathsep}{os.environ['PATH']}"
        return processes.start(
            name, [*node.enter, *command], self._run, environment={"PYTHONPATH": "", "PATH": path, "OVS_RUNDIR": str(self._home), "OS_CLIENT_CONFIG_FILE": ""},
        )

    def _physical_network(self, node: Node) -> None:
        """Make br-ex, with a wire to the bridge outside."""
        bridge = physical_bridge(node)
        outside = f"{bridge[:12]}{self._number}"
        if _do("ip", "link", "show", bridge).returncode:
            _do("ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0", check=True)
        _do("ip", "link", "set", bridge, "up", check=True)
        if _do("ip", "link", "show", outside).returncode:
            _do("ip", "link", "add", outside, "type", "veth", "peer", "name", "phys", check=True)
            _do("ip", "link", "set", "phys", "netns", str(_holder(node)), check=True)
        _do("ip", "link", "set", outside, "master", bridge, "up", check=True)
        _do(*node.enter, "ip", "link", "set", "phys", "up", check=True)
        self.vsctl(
            node, "--may-exist", "add-br", "br-ex", "--", "set", "Bridge", "br-ex", "datapath_type=netdev",
            "--", "--may-exist", "add-port", "br-ex", "phys", check=True,
        )

    def _configure(self) -> None:
        # dnsmasq would become nobody, who cannot read of guests that come later where the stack's folder is closed to others: it would
        # answer none of them, and tell only syslog.
        (self._home / "dnsmasq.conf").write_text("user=root\n")
        file = self._home / "agents.conf"
        file.touch(mode=0o600)
        file.write_text(f"""[DEFAULT]
host = node{self._number}
state_path = {self._home}
interface_driver = openvswitch
enable_isolated_metadata = False
enable_metadata_proxy = False
dnsmasq_config_file = {self._home}/dnsmasq.conf
[agent]
root_helper = env
root_helper_daemon =
report_interval = 10
[ovs]
datapath_type = netdev
ovsdb_connection = {DATABASE}
bridge_mappings = physnet1:br-ex
[securitygroup]
firewall_driver = openvswitch
[oslo_concurrency]
lock_path = {self._home}/locks
""")


def physical_bridge(node: Node) -> str:
    """Answer the bridge outside the nodes which is their physical network: one for all of a stack."""
    return f"nlp{hashlib.sha256(node.name.rpartition('-')[0].encode()).hexdigest()[:8]}"


def physical_down(name: str) -> None:
    """Remove that bridge; fine when it is gone."""
    _do("ip", "link", "del", name)


def _holder(node: Node) -> int:
    return next(int(word.partition("=")[2]) for word in node.enter if word.startswith("--target="))


def _end(file: Path) -> None:
    try:
        os.kill(int(file.read_text()), signal.SIGTERM)
    except (OSError, ValueError):
        return


def _do(*command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done


def started(names: Sequence[str]) -> int:
    """Answer how many agents shall be alive."""
    return sum(name in AGENTS for name in names)
