"""novalike-network: what it serves and what it repeats."""

from __future__ import annotations

import logging

from oslo_config import cfg

from novalike.agents.network.desired import Desired
from novalike.agents.network.linux import LinuxHost, NoHost
from novalike.agents.network.worker import Host, Ring, Worker
from novalike.clock import Clock
from novalike.context import service_context
from novalike.exception import NovalikeError
from novalike.objects.network_state import Asker
from novalike.periodic import Periodic
from novalike.rpc.conductor import DesiredState

LOG = logging.getLogger(__name__)


class NetworkAgentManager:
    """Lists the network agent's endpoints and periodic work.

    `conductor` is a client of rpc.conductor.DesiredState; `host` the name under which ports are bound to this host.
    """

    binary = "novalike-network"
    topic = "network"

    def __init__(self, conf: cfg.ConfigOpts, clock: Clock, conductor: DesiredState, host: str) -> None:
        self._host = host
        self._conductor = conductor
        self._clock = clock
        self._address = conf.network.local_ip
        self._patience = float(conf.service_down_time)
        self._heard = clock.monotonic()              # when the conductor was last told that we live
        desired = Desired()
        hands: Host = LinuxHost(conf, clock, desired, self._asker) if conf.network.agent_driver == "linux" else NoHost()
        if isinstance(hands, NoHost):
            LOG.warning("[network] agent_driver is none: ports are given addresses, and no network is made on this host")
        self.worker = Worker(host, conductor, desired, hands, clock)
        self.endpoints = (Ring(self.worker),)
        self.periodics = (
            Periodic("networks", conf.network.reconcile_interval, self.worker.look_at_everything, delay=conf.network.reconcile_interval),
            Periodic("alive", conf.report_interval, self.alive),
            Periodic("lease", conf.report_interval, self.worker.renew),
        )

    def start(self) -> None:
        """Begin to make this host's networks true; does not wait for it."""
        self.worker.start()

    def stop(self) -> None:
        """End after what is being done now; networks, DHCP and guests go on."""
        self.worker.stop()

    def alive(self) -> None:
        """Tell the conductor that this agent lives. After a silence others may have taken over what is here: that is looked at."""
        try:
            self._conductor.alive(service_context(), host=self._host, binary=self.binary, address=self._address)
        except NovalikeError as error:
            LOG.warning("a heartbeat could not be sent: %s", error)
            return
        silent, self._heard = self._clock.monotonic() - self._heard, self._clock.monotonic()
        if silent >= self._patience:
            LOG.warning("nothing was heard of this agent for %.0f s: it looks at everything", silent)
            self.worker.look_at_everything()

    def _asker(self, network_id: str, address: str) -> Asker | None:
        return self._conductor.asker(service_context(), network_id=network_id, address=address)
