"""The compute daemon: what it offers and repeats."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from novalike.clock import Clock
from novalike.compute.build import BuildEndpoint
from novalike.compute.console import ConsoleEndpoint
from novalike.compute.console_relay import ConsoleRelay
from novalike.compute.devices import DevicesEndpoint
from novalike.compute.host import ComputeHost
from novalike.compute.image_caching import ImageCachingEndpoint
from novalike.compute.inventory import BINARY, HostEndpoint, HostInventory
from novalike.compute.ledger import Ledger
from novalike.compute.lifecycle import LifecycleEndpoint
from novalike.compute.moves import MovesEndpoint
from novalike.compute.orphans import Orphans
from novalike.compute.passwords import PasswordEndpoint
from novalike.compute.periodic import Housekeeping, periodics
from novalike.compute.power import PowerWatch
from novalike.compute.rebuild import RebuildEndpoint
from novalike.compute.recovery import Recovery
from novalike.compute.reporter import Reporter
from novalike.compute.rescue import RescueEndpoint
from novalike.compute.snapshots import FileKeeper, SnapshotsEndpoint
from novalike.compute.uploads import Upload
from novalike.context import service_context
from novalike.exception import NovalikeError
from novalike.objects.image import ImageTarget
from novalike.rpc.compute import TOPIC
from novalike.rpc.conductor import HostReports, Tasks
from novalike.rpc.engine import Interface
from novalike.virt.driver import Driver

LOG = logging.getLogger(__name__)

#: Seconds between attempts to reach a conductor at start, doubling from the first to the last.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
#: Seconds for the last reports when the daemon stops.
FAREWELL = 5.0


class ComputeManager:
    """One hypervisor's daemon.

    `tasks` and `reports` are clients of the conductor's interfaces. `state_dir` holds the ledger and the host's uuid and
    belongs to this daemon alone (Conflict when another one uses it). `stop_timeout` is for how many seconds a graceful stop
    waits for running orders; None: what graceful_shutdown_timeout leaves for it. `uploads` makes what sends
    an image to its target; None: by HTTP. `image_headers` say who we are to a real Glance; None: there is none.
    """

    binary = BINARY
    topic: str | None = TOPIC

    def __init__(
        self, conf: Any, clock: Clock, driver: Driver, tasks: Tasks, reports: HostReports, state_dir: str, *,
        stop_timeout: float | None = None, uploads: Callable[[ImageTarget], Upload] | None = None,
        image_headers: Callable[[], dict[str, str]] | None = None,
    ) -> None:
        self._driver = driver
        self._stop_timeout = max(1.0, conf.graceful_shutdown_timeout - 2 * FAREWELL) if stop_timeout is None else stop_timeout
        self._stopping = threading.Event()
        self._introduction: threading.Thread | None = None
        self._reports = reports
        self._ledger = Ledger(os.path.join(state_dir, "compute", "ledger.sqlite"), clock)
        self._reporter = Reporter(tasks, reports, self._ledger, limit=conf.compute.unsent_limit)
        self.host = ComputeHost(conf, clock, driver, reports, self._ledger, self._reporter, image_headers=image_headers)
        self._inventory = HostInventory(self.host, state_dir)
        self._power = PowerWatch(self.host)
        relay = conf.console.relay_host
        self._relay = ConsoleRelay(relay, conf.console.relay_port, clock) if relay else None
        build, lifecycle = BuildEndpoint(self.host), LifecycleEndpoint(self.host)
        self._recovery = Recovery(self.host, build, lifecycle)
        self.endpoints: tuple[Interface, ...] = (
            build, lifecycle, ConsoleEndpoint(self.host, self._relay), HostEndpoint(self.host, self._inventory),
            DevicesEndpoint(self.host), MovesEndpoint(self.host), RebuildEndpoint(self.host), RescueEndpoint(self.host), PasswordEndpoint(self.host),
            SnapshotsEndpoint(self.host, uploads), ImageCachingEndpoint(self.host),
        )
        self.periodics = periodics(
            self.host, Housekeeping(self.host, self._inventory), self._inventory, self._power, Orphans(self.host),
            FileKeeper(self.host),
        )

    def start(self) -> None:
        """Connect to the hypervisor and put in order what an earlier daemon left.

        Does not wait for a conductor: that goes on in a thread of its own until one answers, so that daemons may be started
        in any order.
        """
        self._driver.start(self._power.hear)
        if self._relay is not None:
            self._relay.start()
        self._reporter.start()
        self._recovery.alone()
        self._introduction = threading.Thread(target=self._introduce, name="introduction", daemon=True)
        self._introduction.start()

    def stop(self) -> None:
        """Take no more orders, wait for running ones, report, and let go. Orders still running are taken up by the next
        daemon; guests go on.
        """
        self._stopping.set()
        if self._relay is not None:
            self._relay.stop()
        if not self.host.stop(self._stop_timeout):
            LOG.warning("Stopping while orders run; the next daemon takes them up")
        self._reporter.stop(FAREWELL)
        self._driver.stop()
        self._ledger.close()

    def _introduce(self) -> None:
        """Register, learn which instances should be here, recover with that; again until a conductor answers."""
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                ctxt = service_context()
                self._inventory.register(ctxt)
                instances = self._reports.instances_on(ctxt, host=self.host.name)
                self.host.learn(instances)
                self._recovery.with_conductor(instances)
                self._power.compare(instances)
                return
            except NovalikeError as error:
                LOG.warning("No conductor takes this host's registration yet: %s %s", error, error.details)
            except Exception:
                LOG.exception("This host could not be registered")
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
