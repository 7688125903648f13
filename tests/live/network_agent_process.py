"""The agent of test_network_agent.py: the real manager, with a conductor which reads a file. SIGUSR1 makes it look.

The setting `commands` is not the agent's: after so many of them (ip, nft, dnsmasq) it kills itself, as kill -9 would.
"""

from __future__ import annotations

from novalike import concurrency

concurrency.setup()

import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

from oslo_config import cfg  # noqa: E402

from novalike.agents.network.manager import NetworkAgentManager  # noqa: E402
from novalike.clock import Clock  # noqa: E402
from novalike.conf import network, neutron, service  # noqa: E402
from novalike.objects.network_state import Asker  # noqa: E402
from novalike.rpc.conductor import DesiredState  # noqa: E402

folder, secret, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])


class FromFile(DesiredState):
    def network(self, ctxt, *, host, since, known=None):
        return json.loads((folder / "desired.json").read_text())

    def asker(self, ctxt, *, network_id, address):
        known = json.loads((folder / "elsewhere.json").read_text())
        return Asker(**known[f"{network_id} {address}"]) if f"{network_id} {address}" in known else None

    def alive(self, ctxt, *, host, binary, address=""):
        pass


logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
conf = cfg.ConfigOpts()
for section in (network, neutron, service):
    conf.register_opts(section.OPTIONS, group=section.GROUP)
conf([], default_config_files=[])
commands, run = settings.pop("commands", 0), subprocess.run


def counted(*arguments, **keywords):
    global commands
    try:
        return run(*arguments, **keywords)
    finally:
        commands -= 1
        if commands == 0:
            os.kill(os.getpid(), signal.SIGKILL)


subprocess.run = counted
conf.set_override("service_down_time", settings.pop("service_down_time", 60))
for name, value in settings.items():
    conf.set_override(name, value, group="network")
conf.set_override("metadata_proxy_shared_secret", secret, group="neutron")
manager = NetworkAgentManager(conf, Clock(), FromFile(), "host")
signal.signal(signal.SIGUSR1, lambda *_: manager.worker.look_at_everything())
manager.start()
while True:
    manager.worker.renew()                       # as its periodic would
    for _ in range(20):
        time.sleep(0.05)                         # eventlet sees what a signal's handler woke when its hub next wakes up
