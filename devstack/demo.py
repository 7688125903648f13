"""From nothing to a server one can log in to, with the stock SDK: what `./devstack/demo` does after it installed what is missing."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import openstack
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from devstack import guest_image
from devstack import settings as settings_module
from devstack.access import let_in
from devstack.guest_image import GuestImage
from devstack.progress import step
from devstack.settings import Settings
from devstack.stack import TOP, Stack
from novalike.agents.network import names

NAME = "demo"
OUT = Console(stderr=True, highlight=False)


def main(words: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="devstack/demo", description="Start the cloud on this machine and boot a real server in it.")
    parser.add_argument("--shape", choices=settings_module.SHAPES, default="embedded")
    parser.add_argument("--driver", choices=settings_module.DRIVERS, default="libvirt")
    parser.add_argument("--state", type=Path, default=TOP / ".stack")
    parser.add_argument("--port-base", type=int)
    parser.add_argument("--begun", type=float, default=time.time(), help=argparse.SUPPRESS)      # before it installed what was missing
    given = parser.parse_args(words)
    try:
        return run(given)
    except (RuntimeError, TimeoutError) as error:
        OUT.print(f"devstack/demo: {error}", markup=False, style="red")
        return 1


def run(given: argparse.Namespace) -> int:
    """Do it, and answer the exit status. Raises RuntimeError and TimeoutError with what went wrong."""
    stack = Stack(given.state)
    running = stack.settings
    if running is not None and (running.shape, running.driver) != (given.shape, given.driver):
        OUT.print(f"{given.state} holds a cloud of shape {running.shape} with driver {running.driver}: end it with `devstack/stack down --purge`, or choose another --state")
        return 1
    image = None
    if given.driver == "libvirt":
        with step("small guest image"):
            image = guest_image.build()
    stack.up(running or Settings(shape=given.shape, driver=given.driver, ports=settings_module.ports(given.port_base)))
    config = openstack.config.OpenStackConfig(config_files=[str(stack.state / "clouds.yaml")], load_envvars=False)
    cloud = openstack.connection.Connection(config=config.get_one(cloud="novalike-admin"))
    server = boot(cloud, stack, image)
    show(cloud, stack, server, image, given.begun)
    return 0


def boot(cloud: Any, stack: Stack, image: GuestImage | None) -> Any:
    """Make what a server needs, then the server; answer it when it is active. What is there already is used again."""
    with step("image"):
        picture = cloud.image.find_image(NAME) or _image(cloud, image)
    with step("flavor, key, network"):
        flavor = cloud.compute.find_flavor("demo.small") or cloud.compute.create_flavor(name="demo.small", ram=256, vcpus=1, disk=1)
        key = _key(cloud, stack.state)
        network = cloud.network.find_network(NAME)
        if network is None:
            network = cloud.network.create_network(name=NAME)
            cloud.network.create_subnet(network_id=network.id, name=NAME, ip_version=4, cidr="10.77.0.0/24", dns_nameservers=["10.77.0.1"])
    with step("SSH and ping in the default security group"):
        let_in(cloud)
    server = cloud.compute.find_server(NAME)
    if server is not None:
        return again(cloud, server.id)
    begun = time.monotonic()
    server = cloud.compute.create_server(
        name=NAME, image_id=picture.id, flavor_id=flavor.id, key_name=key, networks=[{"uuid": network.id}], metadata={"made-by": "demo"},
    )
    with Live(console=OUT, refresh_per_second=8, transient=True) as live:
        while (server := cloud.compute.get_server(server.id)).status == "BUILD":
            live.update(Text.assemble(("  … ", "dim"), f"server: {server.status} {server.task_state or ''} ({time.monotonic() - begun:.1f} s)"))
            time.sleep(0.1)
    if server.status != "ACTIVE":
        OUT.print(f"  [red]✗[/] server: {server.status}: {(server.fault or {}).get('message', '')}")
        raise SystemExit(1)
    OUT.print(f"  [green]✓[/] server: ACTIVE [dim]({time.monotonic() - begun:.1f} s from POST)[/]")
    return server


def again(cloud: Any, server_id: str) -> Any:
    """Answer the server of an earlier run, started if `stack down` ended its guest. Raises TimeoutError."""
    time.sleep(1)                                # a host which has just come up first tells which guests are gone
    server = cloud.compute.get_server(server_id)
    if server.status == "SHUTOFF":
        with step("the server of an earlier run starts"):
            cloud.compute.start_server(server)
            give_up = time.monotonic() + 60
            while (server := cloud.compute.get_server(server_id)).status == "SHUTOFF":
                if time.monotonic() > give_up:
                    raise TimeoutError("the server does not start; see devstack/stack logs")
                time.sleep(0.2)
    else:
        OUT.print(f"  the server of an earlier run is {server.status}")
    return server


def _image(cloud: Any, image: GuestImage | None) -> Any:
    if image is not None:
        return cloud.create_image(NAME, filename=str(image.disk), disk_format="qcow2", container_format="bare", visibility="public", wait=True)
    picture = cloud.image.create_image(NAME, disk_format="raw", container_format="bare", visibility="public", data=b"\0" * 1024)
    return cloud.image.get_image(picture.id)


def _key(cloud: Any, state: Path) -> str:
    file = state / "id_demo"
    if not file.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "novalike-demo", "-f", str(file)], check=True)
    if cloud.compute.find_keypair(NAME) is None:
        cloud.compute.create_keypair(name=NAME, public_key=file.with_suffix(".pub").read_text().strip())
    return NAME


def show(cloud: Any, stack: Stack, server: Any, image: GuestImage | None, begun: float) -> None:
    """Show the server, its console and a command run in it, how to go on, and how long it took since `begun` (a time of day)."""
    address = next(iter(next(iter(server.addresses.values()))))["addr"]
    network_id = next(iter(cloud.network.ports(device_id=server.id))).network_id
    ssh = [*(way_in(network_id, address) if image is not None else ()), *ssh_command(stack.state, address)]
    said = ""
    if image is not None:
        with step("log in by SSH"):
            said = wait_for_ssh(ssh, "uname -sr; hostname; uptime; ip -4 -o addr show eth0 | awk '{print $4}'")
    log = cloud.compute.get_server_console_output(server.id, length=12)["output"]
    OUT.print(Panel(Text(log.strip() or "(empty)"), title="console log", title_align="left", border_style="dim"))
    if said:
        OUT.print(Panel(Text(said.strip()), title=f"{'ip netns exec ... ' if ssh[0] == 'ip' else ''}ssh root@{address} 'uname -sr; hostname; uptime; ...'", title_align="left", border_style="dim"))
    table = Table.grid(padding=(0, 2))
    table.add_row("server", f"{server.name}  {server.id}  {address}")
    table.add_row("it took", f"{time.time() - begun:.1f} s")
    table.add_row("use the cloud", f". {_shown(stack.state)}/openrc-admin;  export PATH={_shown(TOP / '.venv/bin')}:$PATH;  openstack server list")
    if image is not None:
        table.add_row("log in", " ".join(ssh))
    table.add_row("end it", f"./devstack/stack down{'' if stack.state == TOP / '.stack' else f' --state {stack.state}'}")
    OUT.print(Panel(table, title="novalike", title_align="left"))


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def way_in(network_id: str, address: str, *, patience: float = 3) -> list[str]:
    """Answer what to put before a command which shall reach a guest: nothing where the host has a route to its network; where
    it has none within `patience` seconds, as another cloud or the host itself uses that range, a step into the network's
    namespace."""
    give_up = time.monotonic() + patience
    while True:
        found = subprocess.run(["ip", "route", "get", address], capture_output=True, text=True, timeout=10, check=False).stdout.split()
        if f"{names.OUTER}{names.short(network_id)}" in found:
            return []
        if time.monotonic() > give_up:
            return ["ip", "netns", "exec", f"nln-{names.short(network_id)}"]
        time.sleep(0.1)


def ssh_command(state: Path, address: str) -> list[str]:
    """Answer the ssh command line for a guest, from where its network can be reached."""
    return [
        "ssh", "-i", str(state / "id_demo"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
        "-o", "ConnectTimeout=3", f"root@{address}",
    ]


def wait_for_ssh(command: list[str], remote: str, *, timeout: float = 90) -> str:
    """Run a command in a guest as soon as it lets us in; answer what it printed. Raises TimeoutError."""
    give_up = time.monotonic() + timeout
    while True:
        try:
            done = subprocess.run([*command, remote], capture_output=True, text=True, timeout=20, check=False)
            said = done.stderr.strip()
            if done.returncode == 0:
                return done.stdout
        except subprocess.TimeoutExpired:
            said = "connected, but it says nothing"
        if time.monotonic() > give_up:
            raise TimeoutError(f"no SSH within {timeout:g} s: {said}")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
