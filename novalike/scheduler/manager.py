"""The scheduler daemon: what it offers."""

from __future__ import annotations

import gc

from oslo_config import cfg

from novalike.clock import Clock
from novalike.db.cells import Cells
from novalike.hardware.capacity import Ratios
from novalike.periodic import Periodic
from novalike.rpc.engine import Interface
from novalike.rpc.scheduler import TOPIC
from novalike.scheduler import plugins
from novalike.scheduler.hardware import HardwareWishes
from novalike.scheduler.host_manager import HostManager
from novalike.scheduler.options import Options
from novalike.scheduler.placing import Placing
from novalike.scheduler.snapshot import BIG


class SchedulerManager:
    """Places servers. Any number of schedulers work side by side: the claim decides."""

    binary = "novalike-scheduler"
    topic = TOPIC

    def __init__(self, conf: cfg.ConfigOpts, cells: Cells, clock: Clock) -> None:
        options = Options.of(conf.filter_scheduler, conf.metrics)
        driver = plugins.load_driver(conf.scheduler.driver, options)
        ratios = Ratios(conf.initial_cpu_allocation_ratio, conf.initial_ram_allocation_ratio, conf.initial_disk_allocation_ratio)
        self.hosts = HostManager(
            cells, clock, down_after=conf.service_down_time, ratios=ratios, default_zone=conf.default_availability_zone,
            needs=driver.needs,
        )
        self._cells = cells
        self.placing = Placing(
            cells, self.hosts, driver=driver, ratios=ratios,
            wishes=HardwareWishes.of(conf),
        )
        self.endpoints: tuple[Interface, ...] = (self.placing,)
        self.periodics: tuple[Periodic, ...] = ()

    def start(self) -> None:
        """Read all hosts once, so that the first placement is as quick as the next."""
        for name in self._cells.names():
            snapshot = self.hosts.snapshot(name)
            if len(snapshot) >= BIG:
                self.placing.warm_up(snapshot)
                # The hosts stay: looking through all of them for garbage would stop the scheduler for tens of milliseconds.
                gc.collect()
                gc.freeze()

    def stop(self) -> None:
        """Nothing to hand over: a placement is one transaction."""
