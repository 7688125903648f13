"""The network agent as an ordinary user with a few capabilities, as docs/operating.md runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import test_network_agent as agent_tests
from tests.live.test_network_agent import AGENT, SECRET, Lab, until

pytestmark = agent_tests.pytestmark
USER = 65534
CAPABILITIES = ("net_admin", "net_raw", "net_bind_service", "sys_admin", "dac_override")


class Unprivileged(Lab):
    """A lab whose agent is nobody's."""

    def start(self, **settings: Any) -> None:
        granted = ",".join(f"+{name}" for name in CAPABILITIES)
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "nsenter", f"--net=/run/netns/{self.host}", "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
                    f"--bounding-set=-all,{granted}", f"--inh-caps=-all,{granted}", f"--ambient-caps=-all,{granted}", "--no-new-privs",
                    sys.executable, str(AGENT), str(self.folder), SECRET, json.dumps(self.settings | settings),
                ],
                stderr=log,
            )


@pytest.fixture
def lab() -> Iterator[Unprivileged]:
    folder = Path(tempfile.mkdtemp(prefix="agent"))      # pytest's own folders are root's alone
    os.chown(folder, USER, USER)
    made = Unprivileged(folder)
    try:
        yield made
    finally:
        sys.stdout.write(made.log())
        made.close()
        shutil.rmtree(folder)


def test_it_makes_networks_and_serves_guests(lab: Unprivileged) -> None:
    agent_tests.test_a_guest_gets_its_address_its_metadata_and_a_way_out(lab)
    assert lab.process is not None
    running = Path(f"/proc/{lab.process.pid}/status").read_text()
    assert f"Uid:\t{USER}\t{USER}" in running
    server, = lab.dnsmasq()
    assert f"Uid:\t{USER}" in Path(f"/proc/{server}/status").read_text()
    (network,) = lab.networks.values()
    lab.want()
    until("the network goes", lambda: lab.inside(network) not in os.listdir("/run/netns") and not lab.dnsmasq())
