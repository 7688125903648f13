"""Ports of consoles: given out, and read from live definitions."""

import socket
from dataclasses import replace

import pytest

from novalike.clock import ManualClock
from novalike.exception import BuildFailed
from novalike.objects.console import NO_PORT, ConsolePorts, Protocol
from novalike.virt.libvirt.consoles import ports_in
from novalike.virt.libvirt.machine import Files
from novalike.virt.libvirt.serial_ports import SerialPorts
from novalike.virt.libvirt.xml.graphics import Spice
from tests.unit.virt.libvirt.test_machine import EMULATED, FOLDER, ROOT, render, server

LIVE = """<domain><devices>
  <serial type='pty'><target port='1'/></serial>
  <serial type='tcp'><source mode='bind' host='127.0.0.1' service='10042'/><protocol type='raw'/><target port='0'/></serial>
  <graphics type='vnc' port='5907' autoport='yes' listen='127.0.0.1'/>
  <graphics type='spice' port='5908' tlsPort='5909' autoport='yes' listen='127.0.0.1'/>
</devices></domain>"""


@pytest.mark.parametrize(("protocol", "ports"), [
    (Protocol.VNC, ConsolePorts(plain=5907)), (Protocol.SPICE, ConsolePorts(plain=5908, tls=5909)),
    (Protocol.SERIAL, ConsolePorts(plain=10042)),
])
def test_ports_of_a_live_definition(protocol, ports):
    assert ports_in(LIVE, protocol) == ports


def test_ports_of_others():
    off = "<domain><devices><graphics type='vnc' port='-1' autoport='yes'/></devices></domain>"
    assert ports_in(off, Protocol.VNC) == ConsolePorts(plain=NO_PORT)
    assert ports_in(off, Protocol.SERIAL) is ports_in(off, Protocol.SPICE) is ports_in("<domain/>", Protocol.VNC) is None


def test_consoles_of_a_definition_are_found_again():
    host = replace(EMULATED, serial_listen="127.0.0.1", spice=Spice(listen="127.0.0.1", compression=(("image", "off"), ("streaming", "all"))))
    text = render(
        server(extra_specs={"hw:serial_port_count": "2"}), Files(folder=FOLDER, disks=(ROOT,)), host, serial_ports=(10001, 10002),
    )[0].text()
    assert ports_in(text, Protocol.SERIAL) == ConsolePorts(plain=10001)
    assert ports_in(text, Protocol.VNC) == ports_in(text, Protocol.SPICE) == ConsolePorts(plain=NO_PORT)
    assert text.count(f'<log file="{FOLDER}/console.log"') == 1
    for piece in ('service="10002"', '<image compression="off" />', '<streaming mode="all" />', "com.redhat.spice.0", 'type="qxl"'):
        assert piece in text
    text = render(server(), Files(folder=FOLDER, disks=(ROOT,)), replace(host, vnc_listen=None))[0].text()
    assert ports_in(text, Protocol.VNC) is None
    assert '<serial type="pty">' in text, "without TCP ports it is a pseudo terminal"


def test_serial_ports_are_free_and_given_once():
    clock = ManualClock()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = SerialPorts("127.0.0.1", f"{port}:{port + 4}", clock)
        first = ports.take(1)
        assert port not in first
        rest: tuple[int, ...] = ()
        with pytest.raises(BuildFailed, match="no free port"):
            while len(rest) < 5:
                rest += ports.take(1)
        assert not set(first) & set(rest)
        assert len(set(rest)) == len(rest)
        clock.advance(601)
        assert ports.take(1), "they are free again when nobody bound them"
