"""Ports by what a Neutron says of them: the devices of guests as Nova words them, and what is made on the host."""

import os
import subprocess
import uuid
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from novalike import conf as configuration
from novalike.exception import BuildFailed
from novalike.objects.network_info import Vif
from novalike.privileged import links
from novalike.virt.libvirt import vif as ports
from novalike.virt.libvirt.vif import Ports
from novalike.virt.libvirt.xml.element import render
from novalike.virt.libvirt.xml.interface import Interface
from novalike.virt.libvirt.xml.numa import NumaCell, backing

PORT = Vif(
    port_id="77777777-aaaa-4bbb-8ccc-dddddddddddd", network_id="n", label="net", mac="ca:fe:de:ad:be:ef", bridge="br0", tap="tap77777777-aa", mtu=9000,
)
HEAD = '<mac address="ca:fe:de:ad:be:ef" /><model type="virtio" />'
#: vif_type, details -> what Nova's driver puts into the domain, apart from the order of its parts.
KNOWN = {
    "bridge": ("bridge", {}, f'<interface type="bridge">{HEAD}<source bridge="br0" /><mtu size="9000" /><target dev="tap77777777-aa" /></interface>'),
    "ovs": ("ovs", {"port_filter": "True", "ovs_hybrid_plug": "False"},
            f'<interface type="ethernet">{HEAD}<mtu size="9000" /><target dev="tap77777777-aa" managed="no" /></interface>'),
    "ovs hybrid": ("ovs", {"ovs_hybrid_plug": "True"},
                   f'<interface type="bridge">{HEAD}<source bridge="qbr77777777-aa" /><mtu size="9000" /><target dev="tap77777777-aa" /></interface>'),
    "tap": ("tap", {}, f'<interface type="ethernet">{HEAD}<mtu size="9000" /><target dev="tap77777777-aa" managed="no" /></interface>'),
    "macvtap": ("macvtap", {"macvtap_source": "eth0.1", "macvtap_mode": "bridge", "physical_interface": "eth0", "vlan": "1"},
                f'<interface type="direct">{HEAD}<source dev="eth0.1" mode="bridge" /></interface>'),
    "vhostuser": ("vhostuser", {"vhostuser_mode": "client", "vhostuser_socket": "/tmp/vif"},  # nothing is opened
                  f'<interface type="vhostuser">{HEAD}<source mode="client" path="/tmp/vif" type="unix" /><mtu size="9000" /></interface>'),
}


def plugged(kind, **details):
    return replace(PORT, vif_type=kind, details=details)


def parts(xml):
    """A tree without the order of what stands in it."""
    return xml.tag, tuple(sorted(xml.attrib.items())), frozenset(parts(child) for child in xml)


@pytest.mark.parametrize("shape", KNOWN)
def test_guests_get_what_nova_gives_them(shape):
    kind, details, known = KNOWN[shape]
    found = ports.interface(plugged(kind, **details), "virtio").xml()
    assert parts(found) == parts(ET.fromstring(known)), render(found)  # written above


@pytest.mark.parametrize(("kind", "details", "message"), [
    ("binding_failed", {}, "Binding failed for port 77777777-aaaa-4bbb-8ccc-dddddddddddd, please check neutron logs"),
    ("unbound", {}, "Binding failed for port"),
    ("macvtap", {"macvtap_source": "eth0"}, "lacks its macvtap_source, macvtap_mode and physical_interface"),
    ("vhostuser", {}, "lacks its vhostuser_socket"),
    ("midonet", {}, "of type midonet cannot be plugged in"),
])
def test_what_cannot_be_plugged_in_says_why(kind, details, message):
    ports = Ports(configuration.load().os_vif_ovs)
    with pytest.raises(BuildFailed, match=message):
        ports.plug("u", (plugged(kind, **details),))


def test_a_port_without_bridge_or_tap_is_refused():
    for missing in ({"bridge": None}, {"tap": None}):
        with pytest.raises(BuildFailed, match="lacks its bridge and tap"):
            ports.interface(replace(PORT, **missing), "virtio")


def test_memory_is_shared_with_the_switch_behind_a_socket():
    alone = render(backing((), shared=True))
    assert '<source type="memfd" />' in alone and '<access mode="shared" />' in alone and "hugepages" not in alone
    large = render(backing((NumaCell(id=0, cpus="0", memory_mb=1, host=0, page_kb=2048),), shared=True))
    assert "hugepages" in large and "shared" in large and "memfd" not in large


def test_a_socket_of_the_switch_names_the_one_who_listens():
    client = ports.interface(plugged("vhostuser", vhostuser_mode="client", vhostuser_socket="/run/vhu"), "e1000")
    assert client == Interface(
        type="vhostuser", mac=PORT.mac, model="virtio", source={"type": "unix", "path": "/run/vhu", "mode": "client"}, mtu=9000,
    )


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """An ovs-vsctl which notes what it is asked; no port is there yet."""
    log, tool = tmp_path / "log", tmp_path / "ovs-vsctl"
    tool.write_text(f'#!/bin/sh\necho "$*" >> {log}\ncase "$*" in *port-to-br*) exit 1;; *br-exists*) exit 2;; esac\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return lambda: log.read_text().splitlines()


def test_open_vswitch_is_told_what_neutrons_agents_look_for(commands):
    port = plugged(
        "vhostuser", vhostuser_ovs_plug="True", vhostuser_socket="/run/vhu", vhostuser_mode="server", datapath_type="netdev",
    )
    found = Ports(configuration.load(os_vif_ovs__isolate_vif=True, os_vif_ovs__ovsdb_connection="unix:/x").os_vif_ovs)
    found.plug("the-server", (port,))
    asked = commands()[-1]
    for word in (
        "--db=unix:/x --timeout=120", "--may-exist add-br br0 -- set Bridge br0 datapath_type=netdev", "--may-exist add-port br0 vhu77777777-aa",
        'set Port vhu77777777-aa tag="4095" vlan_mode="trunk" trunks="4095"', f'external_ids:iface-id="{PORT.port_id}"',
        'external_ids:iface-status="active"', 'external_ids:attached-mac="ca:fe:de:ad:be:ef"', 'external_ids:vm-uuid="the-server"',
        'type="dpdkvhostuserclient" options:vhost-server-path="/run/vhu"',
    ):
        assert word in asked, asked
    found.unplug((port,))
    assert commands()[-1] == "--db=unix:/x --timeout=120 --if-exists del-port vhu77777777-aa"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("shape", ["tap", "ovs", "ovs hybrid"])
def test_what_is_made_on_the_host_goes_again(commands, shape):
    kind, details, _ = KNOWN[shape]
    port_id = str(uuid.uuid4())
    port = replace(plugged(kind, **details), port_id=port_id, tap=f"tap{port_id[:11]}", mtu=1450)
    found = Ports(configuration.load().os_vif_ovs)
    try:
        for _ in range(2):
            found.plug("u", (port,))
        made = {"tap": [port.tap], "ovs": [port.tap], "ovs hybrid": [f"{what}{port_id[:11]}" for what in ("qbr", "qvb", "qvo")]}[shape]
        assert [links.show(device=name)[0]["mtu"] for name in made] == [1450] * len(made)
        if shape == "ovs hybrid":
            assert links.show(device=made[1])[0]["master"] == made[0]
            subprocess.run(["ip", "tuntap", "add", "dev", port.tap, "mode", "tap"], check=True)     # as a guest that died leaves one
        assert set(found.leftovers((port,))) == {*made, port.tap}
    finally:
        found.unplug((port,))
    assert found.leftovers((port,)) == ()
