"""The stock client's network commands against the embedded cloud, with wrong words among them."""

from __future__ import annotations

import json

import pytest

from tests.live.clouds import SDK_WARNS, Cloud
from tests.live.shell import Failed, Shell

pytestmark = [pytest.mark.timeout(240), SDK_WARNS]


@pytest.fixture
def run(embedded: Cloud):
    shell = Shell({"OS_CLIENT_CONFIG_FILE": str(embedded.state / "clouds.yaml"), "OS_CLOUD": "novalike-admin"})
    yield shell
    shell.close()


def refused(run: Shell, *words: str) -> str:
    with pytest.raises(Failed) as caught:
        run(*words)
    return str(caught.value)


def shown(run: Shell, *words: str):
    return json.loads(run(*words, "-f", "json"))


def test_a_network_from_nothing_to_nothing(run: Shell) -> None:
    run("network", "create", "n-out", "--external", "--default")
    run("subnet", "create", "n-out", "--network", "n-out", "--subnet-range", "203.0.113.0/28", "--no-dhcp")
    pool = shown(run, "subnet", "pool", "create", "n-pool", "--pool-prefix", "10.40.0.0/16", "--default-prefix-length", "24")
    assert pool["prefixes"] == ["10.40.0.0/16"]
    run("network", "create", "n-in", "--tag", "blue")
    assert shown(run, "subnet", "create", "n-in", "--network", "n-in", "--subnet-pool", "n-pool")["cidr"] == "10.40.0.0/24"
    assert [network["Name"] for network in shown(run, "network", "list", "--tags", "blue")] == ["n-in"]
    run("router", "create", "n-r")
    run("router", "set", "n-r", "--external-gateway", "n-out")
    run("router", "add", "subnet", "n-r", "n-in")
    run("router", "add", "route", "n-r", "--route", "destination=10.50.0.0/16,gateway=10.40.0.9")
    assert "10.50.0.0/16" in run("router", "show", "n-r")
    port = shown(run, "port", "create", "n-p", "--network", "n-in", "--fixed-ip", "ip-address=10.40.0.7", "--allowed-address", "ip-address=10.40.0.99")
    floating = shown(run, "floating", "ip", "create", "n-out", "--port", "n-p")
    assert (floating["fixed_ip_address"], floating["status"]) == ("10.40.0.7", "ACTIVE")
    address = floating["floating_ip_address"]
    run("floating", "ip", "unset", "--port", address)
    run("floating", "ip", "set", "--port", port["id"], address)
    assert [one["Fixed IP Address"] for one in shown(run, "floating", "ip", "list", "--router", "n-r")] == ["10.40.0.7"]
    assert shown(run, "ip", "availability", "show", "n-in")["used_ips"] >= 2
    assert shown(run, "quota", "show", "--network")

    assert "overlaps" in refused(run, "subnet", "create", "x", "--network", "n-in", "--subnet-range", "10.40.0.0/25")
    assert "still has ports" in refused(run, "router", "delete", "n-r")
    assert "floating IPs" in refused(run, "router", "unset", "n-r", "--external-gateway")
    assert "in use" in refused(run, "network", "delete", "n-in")
    assert "not a valid external network" in refused(run, "floating", "ip", "create", "n-in")
    assert "No Router found" in refused(run, "router", "show", "nonsense")

    run("floating", "ip", "delete", address)
    run("port", "delete", "n-p")
    run("router", "unset", "n-r", "--route", "destination=10.50.0.0/16,gateway=10.40.0.9")
    run("router", "remove", "subnet", "n-r", "n-in")
    run("router", "delete", "n-r")
    run("network", "delete", "n-in", "n-out")
    run("subnet", "pool", "delete", "n-pool")
