"""Real guests on real Open vSwitch, wired by the real agents of a real Neutron. See test_dropin.py for how it is run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.live import dropin
from tests.live.clouds import Cloud, measured, until
from tests.live.dropin import compute_ports

pytestmark = dropin.MARKS
SSH = (
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=2", "-o", "BatchMode=yes",
)


@pytest.fixture(scope="module")
def beside(guest) -> Iterator[Cloud]:
    yield from dropin.beside("libvirt")


class Site:
    """A project's network behind a router, and a key to its guests."""

    def __init__(self, cloud: Cloud, guest, folder) -> None:
        self.cloud, self.key = cloud, folder / "id"
        compute, network = cloud.demo.compute, cloud.demo.network
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        compute.create_keypair(name="site", public_key=self.key.with_suffix(".pub").read_text().strip())
        self.image = cloud.demo.image.create_image("tiny", data=guest.disk.read_bytes(), disk_format="qcow2", container_format="bare")
        self.flavor = cloud.admin.compute.create_flavor(name="site", ram=128, vcpus=1, disk=1)
        self.group = network.create_security_group(name="site")
        self.rule = network.create_security_group_rule(
            security_group_id=self.group.id, direction="ingress", ethertype="IPv4", protocol="tcp", port_range_min=22, port_range_max=22,
        )
        self.network, self.subnet = self.add_network("site", "10.20.0.0/24")
        until("somebody who answers DHCP", lambda: any(
            port.status == "ACTIVE" for port in network.ports(network_id=self.network.id, device_owner="network:dhcp")
        ), 60)
        self.outside = cloud.admin.network.create_network(
            name="outside", is_router_external=True, provider_network_type="flat", provider_physical_network="physnet1",
        )
        cloud.admin.network.create_subnet(network_id=self.outside.id, ip_version=4, cidr="198.51.100.0/24", is_dhcp_enabled=False)
        # The host is the world outside.
        self.node("ip", "addr", "replace", "198.51.100.1/24", "dev", "br-ex")
        self.node("ip", "link", "set", "br-ex", "up")
        self.router = network.create_router(name="site", external_gateway_info={"network_id": self.outside.id})
        network.add_interface_to_router(self.router.id, subnet_id=self.subnet.id)

    def add_network(self, name: str, cidr: str):
        network = self.cloud.demo.network.create_network(name=name)
        return network, self.cloud.demo.network.create_subnet(network_id=network.id, ip_version=4, cidr=cidr)

    def node(self, *command: str) -> str:
        """Run a command on the compute host."""
        done = subprocess.run([*self.cloud.stack.enter(1), *command], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def log_in(self, address: str, command: str, *, via: str | None = None, seconds: float = 60) -> str:
        """Run a command in a guest as soon as it lets us in, from the network's DHCP namespace or from the host itself."""
        inside = ["ip", "netns", "exec", f"qdhcp-{via}"] if via else []
        words = [*self.cloud.stack.enter(1), *inside, "ssh", "-i", str(self.key), *SSH, f"root@{address}", command]
        give_up = time.monotonic() + seconds
        while True:
            done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
            if done.returncode != 255:
                return done.stdout.strip()
            assert time.monotonic() < give_up, f"no SSH to {address} within {seconds} s: {done.stderr}\nconsoles:\n{self.consoles()}"
            time.sleep(0.3)

    def consoles(self) -> str:
        compute = self.cloud.demo.compute
        return "\n".join(compute.get_server_console_output(server.id)["output"][-2000:] for server in compute.servers(details=False))

    def remove(self) -> None:
        network, admin = self.cloud.demo.network, self.cloud.admin.network
        for server in self.cloud.demo.compute.servers(details=False):
            self.cloud.demo.compute.delete_server(server.id)
        until("servers gone", lambda: not list(self.cloud.demo.compute.servers(details=False)), 60)
        for address in network.ips():
            network.delete_ip(address.id)
        network.remove_interface_from_router(self.router.id, subnet_id=self.subnet.id)
        network.delete_router(self.router.id)
        admin.delete_network(self.outside.id)
        network.delete_network(self.network.id)
        network.delete_security_group(self.group.id)
        for image in self.cloud.demo.image.images(owner=self.cloud.demo.current_project_id):
            self.cloud.demo.image.delete_image(image.id)
        self.cloud.admin.compute.delete_flavor(self.flavor.id)
        self.cloud.demo.compute.delete_keypair("site")
        self.cloud.nothing_left()


@pytest.fixture
def site(beside, guest, tmp_path) -> Iterator[Site]:
    made = Site(beside, guest, tmp_path)
    yield made
    made.remove()


def switched(site: Site) -> set[str]:
    """The taps in the switch which are those of guests."""
    ports = site.node("ovs-vsctl", "--db=tcp:127.0.0.1:6640", "list-ports", "br-int").split()
    here = {line.split(":")[1].strip() for line in site.node("ip", "-o", "link").splitlines()}      # those of DHCP and routers are elsewhere
    return {port for port in ports if port.startswith("tap") and port in here}


def test_a_guest_of_open_vswitch_from_boot_to_delete(beside, site):
    compute, network = beside.demo.compute, beside.demo.network
    begun = time.monotonic()
    server = compute.create_server(
        name="real", image_id=site.image.id, flavor_id=site.flavor.id, networks=[{"uuid": site.network.id}], key_name="site",
        security_groups=[{"name": "site"}],
    )
    server = beside.wait(server.id, "ACTIVE", seconds=90)
    measured(f"a guest beside a real Neutron: ACTIVE after {time.monotonic() - begun:.1f} s")
    port = next(iter(network.ports(device_id=server.id)))
    bound = beside.admin.network.get_port(port.id)
    assert (bound.binding_vif_type, bound.binding_host_id, bound.status) == ("ovs", "node1", "ACTIVE")
    address = port.fixed_ips[0]["ip_address"]
    assert f"{address}/24" in site.log_in(address, "ip -4 -o addr show eth0", via=site.network.id, seconds=90)
    measured(f"a guest beside a real Neutron: let us in after {time.monotonic() - begun:.1f} s")
    assert "from 10.20.0." in compute.get_server_console_output(server.id)["output"], "its address came by DHCP"

    public = network.create_ip(floating_network_id=site.outside.id, port_id=port.id)
    assert site.log_in(public.floating_ip_address, "hostname", seconds=30) == "real"
    until("the floating address at the server", lambda: public.floating_ip_address in {
        one["addr"] for one in compute.get_server(server.id).addresses["site"]
    }, 30)

    second, _ = site.add_network("second", "10.30.0.0/24")
    nic = compute.create_server_interface(server.id, net_id=second.id)
    more = until("the second port wired", lambda: next((one for one in network.ports(id=nic.port_id) if one.status == "ACTIVE"), None), 30)
    there = f"{more.fixed_ips[0]['ip_address']}/24"
    until("an address on the second NIC", lambda: there in site.log_in(address, "ip -4 -o addr", via=site.network.id), 30)
    assert len(switched(site)) == 2
    compute.delete_server_interface(nic.port_id, server=server.id)
    until("the second port gone", lambda: network.find_port(nic.port_id) is None, 30)
    assert there not in site.log_in(address, "ip -4 -o addr", via=site.network.id)
    assert len(switched(site)) == 1
    until("no port but the network's own", lambda: all(
        one.device_owner.startswith("network:") for one in network.ports(network_id=second.id)
    ), 10)
    network.delete_network(second.id)

    compute.reboot_server(server.id, "HARD")
    beside.wait(server.id, "ACTIVE")
    site.log_in(address, "true", via=site.network.id, seconds=90)

    copy = compute.create_server_image(server.id, "copy", wait=True, timeout=60)
    assert (copy.status, copy.size > 1 << 20) == ("active", True)

    network.delete_security_group_rule(site.rule.id)
    until("nobody let in any more", lambda: _refused(site, address), 20)

    compute.delete_server(server.id)
    beside.wait_gone(server.id)
    assert compute_ports(beside) == []
    assert switched(site) == set()
    assert not beside.virsh("list", "--all", "--uuid").split()


def _refused(site: Site, address: str) -> bool:
    probe = ["ip", "netns", "exec", f"qdhcp-{site.network.id}", "timeout", "3", "bash", "-c", f"</dev/tcp/{address}/22"]
    return subprocess.run([*site.cloud.stack.enter(1), *probe], capture_output=True, timeout=30, check=False).returncode != 0
