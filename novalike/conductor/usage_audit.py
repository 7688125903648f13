"""At the end of a period tells of every server that there was, host by host, for those who bill by that."""

from __future__ import annotations

import logging
from datetime import datetime

from novalike.conductor.tasks.common import COMPUTE
from novalike.conductor.world import World
from novalike.db import hosts, sights, usage_audits
from novalike.db.engine import Database
from novalike.notifications import periods
from novalike.objects.usage_audit import DONE, UsageAudit

LOG = logging.getLogger(__name__)


class UsageAudits:
    """Periodic work of a conductor; several share it. In Nova each host does its own, and one which is down does none."""

    def __init__(self, world: World) -> None:
        self._world = world

    def run(self) -> None:
        """Audit the last complete period on hosts where nobody did yet."""
        world = self._world
        begin, end = periods.completed(world.conf.instance_usage_audit_period, world.clock.now())
        for cell in world.cells:
            services = cell.fetch(hosts.list_services, down_after=world.conf.service_down_time, binary=COMPUTE)
            for host in sorted({service.host for service in services}):
                if cell.write(usage_audits.take, host, begin, end):
                    audit = self._audit(cell, host, begin, end)
                    cell.write(usage_audits.finish, audit, begin, end)
                    LOG.info("%s", audit.message)

    def _audit(self, cell: Database, host: str, begin: datetime, end: datetime) -> UsageAudit:
        notifier, started = self._world.notifier, self._world.clock.monotonic()
        count = errors = last = 0
        while found := cell.fetch(usage_audits.active, host, begin, end, after=last):
            for number, uuid in found:
                last, count = number, count + 1
                try:
                    sight = cell.fetch(sights.look, uuid, disks=notifier.disks)
                    if sight is not None:
                        notifier.exists(sight, caller=None, period=(begin, end))
                except Exception:
                    errors += 1
                    LOG.exception("the usage of instance %s could not be told", uuid)
        seconds = self._world.clock.monotonic() - started
        return UsageAudit(
            host=host, state=DONE, instances=count, errors=errors,
            message=f"Instance usage audit ran for host {host}, {count} instances in {seconds:.3f} seconds.",
        )
