"""What the compute daemon does again and again."""

from __future__ import annotations

import logging

from novalike.compute.host import ComputeHost
from novalike.compute.inventory import BINARY, HostInventory
from novalike.compute.orphans import Orphans
from novalike.compute.power import PowerWatch
from novalike.compute.snapshots import FileKeeper
from novalike.context import service_context
from novalike.exception import Unavailable
from novalike.objects.tasks import Heartbeat
from novalike.periodic import Periodic

LOG = logging.getLogger(__name__)

MINUTE, HOUR = 60.0, 3600.0
#: How exactly deadlines of orders (minutes long) are kept.
DEADLINE_PRECISION = 5.0


class Housekeeping:
    """The small recurring jobs which have no file of their own."""

    def __init__(self, host: ComputeHost, inventory: HostInventory) -> None:
        self._host = host
        self._inventory = inventory

    def heartbeat(self) -> None:
        """Tell that the host lives and on what it works; then what it uses, when that changed."""
        beat = Heartbeat(host=self._host.name, binary=BINARY, running=self._host.orders.running())
        try:
            self._host.reports.heartbeat(service_context(), heartbeat=beat)
        except Unavailable as error:
            LOG.warning("No heartbeat could be sent: %s", error)
            return
        self._inventory.report_usage()

    def prune(self) -> None:
        """Drop old lines of the ledger. First an hour after the start: messages as old as the ledger may be waiting then."""
        now, options = self._host.clock.time(), self._host.conf.compute
        dropped = self._host.ledger.prune(now - options.ledger_retention, now - options.tombstone_retention)
        if dropped:
            LOG.info("Dropped %d old lines of the ledger", dropped)


def periodics(
    host: ComputeHost, housekeeping: Housekeeping, inventory: HostInventory, power: PowerWatch, orphans: Orphans,
    files: FileKeeper,
) -> tuple[Periodic, ...]:
    """Answer the compute daemon's periodic work with its configured intervals; 0 means Nova's once a minute for those
    where it does.
    """
    conf = host.conf
    sync, resources = conf.sync_power_state_interval or MINUTE, conf.update_resources_interval or MINUTE
    search = conf.running_deleted_instance_poll_interval
    images = conf.image_cache.manager_interval or MINUTE
    return (
        Periodic("heartbeat", conf.report_interval, housekeeping.heartbeat),
        Periodic("order deadlines", DEADLINE_PRECISION, host.orders.expire, delay=DEADLINE_PRECISION),
        Periodic("power events", 1.0, power.look),
        Periodic("power states", sync, power.compare, delay=sync),   # the first comparison is part of the start
        Periodic("resources", resources, inventory.report_changes, delay=resources),
        Periodic("orphans", search, orphans.search, delay=min(search, MINUTE)),
        Periodic("image cache", images, files.clean, delay=images),
        Periodic("ledger", HOUR, housekeeping.prune, delay=HOUR),
    )
