"""The agent of test_network_agent.py: the real manager, with a conductor which reads a file. SIGUSR1 makes it look."""

from __future__ import annotations

from novalike import concurrency

concurrency.setup()

import json  # noqa: E402
import logging  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

from oslo_config import cfg  # noqa: E402

from novalike.agents.network.manager import NetworkAgentManager  # noqa: E402
from novalike.clock import Clock  # noqa: E402
from novalike.conf import network, neutron, service  # noqa: E402
from novalike.rpc.conductor import DesiredState  # noqa: E402

folder, secret, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])


class FromFile(DesiredState):
    def network(self, ctxt, *, host, since, known=None):
        return json.loads((folder / "desired.json").read_text())

    def alive(self, ctxt, *, host, binary, address=""):
        pass


logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
conf = cfg.ConfigOpts()
for section in (network, neutron, service):
    conf.register_opts(section.OPTIONS, group=section.GROUP)
conf([], default_config_files=[])
for name, value in settings.items():
    conf.set_override(name, value, group="network")
conf.set_override("metadata_proxy_shared_secret", secret, group="neutron")
manager = NetworkAgentManager(conf, Clock(), FromFile(), "host")
signal.signal(signal.SIGUSR1, lambda *_: manager.worker.look_at_everything())
manager.start()
while True:                                      # eventlet sees what a signal's handler woke when its hub next wakes up
    time.sleep(0.05)
