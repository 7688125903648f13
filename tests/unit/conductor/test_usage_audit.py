"""The audit of usage: every server of the last period is told of once, whatever conductors die."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from novalike.clock import ManualClock
from novalike.conductor.usage_audit import UsageAudits
from novalike.db import hosts, instances, usage_audits
from novalike.db.cells import Cells
from novalike.db.models.usage_audits import UsageAuditRow
from tests import factories

BEGIN, END = datetime.fromisoformat("2026-02-01"), datetime.fromisoformat("2026-03-01")


class Notifier:
    disks = False

    def __init__(self):
        self.told = []

    def exists(self, sight, *, caller, period):
        if sight.instance.display_name == "broken":
            raise RuntimeError("no")
        self.told.append((sight.instance.uuid, period))


@pytest.fixture
def world(database):
    clock = ManualClock()
    clock.now = lambda: END + timedelta(days=3)
    conf = SimpleNamespace(instance_usage_audit_period="month", service_down_time=60)
    return SimpleNamespace(conf=conf, clock=clock, cells=Cells.single(database), notifier=Notifier())


def add(database, host, **values):
    return database.write(instances.create, [factories.instance(**{"host": host, "launched_at": BEGIN + timedelta(days=1), **values})])[0].uuid


def test_each_server_of_the_period_once(world, database):
    for host in ("host1", "host2"):
        database.write(hosts.report_service, host=host, binary="novalike-compute", topic="compute")
    told = [
        add(database, "host1"), add(database, "host1", launched_at=BEGIN - timedelta(days=99)),
        add(database, "host1", terminated_at=BEGIN + timedelta(days=2), deleted=True),
    ]
    add(database, "host1", launched_at=END + timedelta(days=1))
    add(database, "host1", terminated_at=BEGIN - timedelta(days=1), launched_at=BEGIN - timedelta(days=9), deleted=True)
    add(database, "host2", display_name="broken")
    for _ in range(2):
        UsageAudits(world).run()
    assert world.notifier.told == [(uuid, (BEGIN, END)) for uuid in told]
    one, two = database.fetch(usage_audits.listed, BEGIN, END)
    assert (one.host, one.state, one.instances, one.errors) == ("host1", "DONE", 3, 0)
    assert (two.host, two.state, two.instances, two.errors) == ("host2", "DONE", 1, 1)


def test_an_audit_whose_conductor_died_is_done_later(world, database):
    database.write(hosts.report_service, host="host1", binary="novalike-compute", topic="compute")
    add(database, "host1")
    assert database.write(usage_audits.take, "host1", BEGIN, END)
    UsageAudits(world).run()
    assert world.notifier.told == []
    database.write(lambda session: session.execute(sa.update(UsageAuditRow).values(touched_at=0)))
    UsageAudits(world).run()
    assert len(world.notifier.told) == 1
