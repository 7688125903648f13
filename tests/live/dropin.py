"""Clouds beside real Keystone, Glance and Neutron, for those who ask for them (NOVALIKE_TEST_DROPIN)."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack import accounting
from devstack.settings import Settings
from tests.live.clouds import SDK_WARNS, Cloud, free_ports, measured
from tests.live.conftest import SOON

ASKED = os.environ.get("NOVALIKE_TEST_DROPIN", "")
#: What tests of this shape are marked with.
MARKS = [SDK_WARNS, pytest.mark.timeout(600), pytest.mark.skipif(
    not ASKED, reason="NOVALIKE_TEST_DROPIN=1 was not set: this installs Keystone, Glance and Neutron from PyPI and takes minutes",
)]


def beside(driver: str, *, computes: int = 1, **options: str) -> Iterator[Cloud]:
    """A cloud of this driver: a new one, or the one which is up in the folder that was named. Skips where that is of another driver."""
    if ASKED != "1":
        cloud = Cloud(Path(ASKED))
        if cloud.stack.settings.driver != driver:
            pytest.skip(f"the guests of {ASKED} are those of another driver")
        yield cloud
        cloud.close()
        return
    state = Path(tempfile.mkdtemp(prefix="nlv-"))
    cloud = Cloud(state)
    try:
        begun = time.monotonic()
        cloud.up(Settings(shape="dropin", driver=driver, computes=computes, ports=free_ports(), options={**SOON, **options}))
        measured(f"a cloud beside real Keystone, Glance and Neutron ({driver}): up in {time.monotonic() - begun:.0f} s")
        yield cloud
    finally:
        if cloud.stack.settings is not None:
            cloud.down()
        shutil.rmtree(state, ignore_errors=True)


def compute_ports(cloud: Cloud) -> list[str]:
    """Answer the ports which Neutron has of servers."""
    return [port.id for port in cloud.admin.network.ports() if port.device_owner.startswith("compute:")]


def kill(cloud: Cloud, service: str) -> None:
    """kill -9 one of the neighbours, with its workers."""
    pid = cloud.stack.neighbours().pid(service)
    assert pid is not None, f"{service} does not run"
    for one in accounting.family(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


@contextlib.contextmanager
def short_tokens(cloud: Cloud, seconds: int) -> Iterator[None]:
    """Have Keystone issue tokens which expire soon, those of services among them."""
    file, neighbours = cloud.state / "neighbours" / "identity" / "keystone.conf", cloud.stack.neighbours()
    usual = file.read_text()
    try:
        neighbours.stop("identity")
        file.write_text(usual.replace("expiration = 14400", f"expiration = {seconds}"))
        assert file.read_text() != usual
        neighbours.start("identity")
        yield
    finally:
        neighbours.stop("identity")
        file.write_text(usual)
        neighbours.start("identity")


@contextlib.contextmanager
def impatient(cloud: Cloud, seconds: int) -> Iterator[None]:
    """Have builds wait so long for Glance and Neutron. Begins with no conductor, which is to be started; ends with one as usual."""
    file = cloud.state / "novalike.conf"
    usual = file.read_text()
    cloud.kill("conductor")
    try:
        file.write_text(re.sub(r"allocate_timeout = \d+", f"allocate_timeout = {seconds}", usual))
        assert file.read_text() != usual
        yield
    finally:
        file.write_text(usual)
        cloud.stack.end("conductor")
        cloud.start("conductor")


class Sdk:
    """What a user does with servers, by openstacksdk."""

    def __init__(self, cloud: Cloud) -> None:
        self.compute = cloud.demo.compute

    def create(self, name: str, image: str, flavor: str, networks: list[dict[str, str]], group: str) -> str:
        return str(self.compute.create_server(
            name=name, image_id=image, flavor_id=flavor, networks=networks, security_groups=[{"name": group}],
        ).id)

    def addresses(self, server: str) -> dict[str, list[str]]:
        found = self.compute.get_server(server).addresses
        return {name: [one["addr"] for one in many] for name, many in found.items()}

    def attach(self, server: str, *, network: str | None = None, port: str | None = None, address: str | None = None) -> str:
        wanted: dict[str, Any] = {"port_id": port} if port else {"net_id": network}
        if address:
            wanted["fixed_ips"] = [{"ip_address": address}]
        return str(self.compute.create_server_interface(server, **wanted).port_id)

    def detach(self, server: str, port: str) -> None:
        self.compute.delete_server_interface(port, server=server)

    def ports(self, server: str) -> set[str]:
        return {one.port_id for one in self.compute.server_interfaces(server)}

    def snapshot(self, server: str, name: str) -> str:
        return str(self.compute.create_server_image(server, name).id)

    def delete(self, server: str) -> None:
        self.compute.delete_server(server)


class NovaClient:
    """The same by python-novaclient, with the newest microversion which it knows."""

    def __init__(self, cloud: Cloud) -> None:
        from novaclient import client  # it warns when imported, which only tests with SDK_WARNS may

        self.nova = client.Client("2.96", session=cloud.demo.session, region_name="RegionOne")

    def create(self, name: str, image: str, flavor: str, networks: list[dict[str, str]], group: str) -> str:
        words = {"uuid": "net-id", "port": "port-id", "fixed_ip": "v4-fixed-ip"}
        nics = [{words[key]: value for key, value in one.items()} for one in networks]
        return str(self.nova.servers.create(name, image, flavor, nics=nics, security_groups=[group]).id)

    def addresses(self, server: str) -> dict[str, list[str]]:
        return {name: [one["addr"] for one in many] for name, many in self.nova.servers.get(server).addresses.items()}

    def attach(self, server: str, *, network: str | None = None, port: str | None = None, address: str | None = None) -> str:
        return str(self.nova.servers.interface_attach(server, port, network, address).port_id)

    def detach(self, server: str, port: str) -> None:
        self.nova.servers.interface_detach(server, port)

    def ports(self, server: str) -> set[str]:
        return {one.port_id for one in self.nova.servers.interface_list(server)}

    def snapshot(self, server: str, name: str) -> str:
        return str(self.nova.servers.create_image(server, name))

    def delete(self, server: str) -> None:
        self.nova.servers.delete(server)


class Keystone:
    """Logs in in odd ways."""

    def __init__(self, cloud: Cloud) -> None:
        self.settings = cloud.stack.settings
        self.compute = f"http://{self.settings.address}:{self.settings.ports['compute']}/v2.1"

    def token(self, user: str, password: str, scope: dict | None) -> str:
        person = {"name": user, "domain": {"id": "default"}, "password": password}
        body: dict = {"auth": {"identity": {"methods": ["password"], "password": {"user": person}}}}
        if scope is not None:
            body["auth"]["scope"] = scope
        answer = requests.post(f"{self.settings.auth_url}/auth/tokens", json=body, timeout=30)
        answer.raise_for_status()
        return answer.headers["X-Subject-Token"]

    def demo(self) -> str:
        return self.token("demo", self.settings.demo_password, project("demo"))

    def admin(self, scope: dict | None = None) -> str:
        return self.token("admin", self.settings.admin_password, scope or project("admin"))

    def ask(self, token: str | None, path: str = "/servers", *, method: str = "GET", **more) -> requests.Response:
        headers = {"X-Auth-Token": token} if token else {}
        return requests.request(method, f"{self.compute}{path}", headers=headers | more.pop("headers", {}), timeout=60, **more)


def project(name: str) -> dict:
    return {"project": {"name": name, "domain": {"id": "default"}}}
