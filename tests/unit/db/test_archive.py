"""Deleted servers leave the tables with every row about them, and nothing is lost until it is purged."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from novalike.db import action_log, archive, debts, instances, tasks
from novalike.db.base import now_ms
from novalike.db.cells import FIRST_CELL, Cells
from novalike.db.models.archive import ArchivedRow
from novalike.db.models.hosts import ClaimRow, DecisionRow
from novalike.db.models.instances import (
    BlockDeviceRow,
    ConsoleTokenRow,
    InstanceActionEventRow,
    InstanceActionRow,
    InstanceFaultRow,
    InstanceRow,
    MigrationRow,
)
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.db.models.projects import ServerGroupMemberRow
from novalike.db.models.usage_audits import UsageAuditRow
from novalike.objects.tasks import BuildState, Debt
from tests import schema
from tests.factories_instances import CALLER, NOW, instance

ABOUT_SERVERS = (
    InstanceRow, InstanceActionRow, InstanceActionEventRow, InstanceFaultRow, BlockDeviceRow, MigrationRow, ConsoleTokenRow, DecisionRow,
    InstanceMapping, Reservation, ServerGroupMemberRow,
)


def server(session, *, deleted=True, age=0, actions=2):
    """Store a server with a row in each table; deleted `age` days ago. Answer its uuid."""
    then = NOW - timedelta(days=age)
    made, = instances.create(session, [instance(
        vm_state="deleted" if deleted else "active", task_state=None, created_at=then - timedelta(days=1), deleted=deleted,
        terminated_at=then if deleted else None,
    )])
    own = {"instance_uuid": made.uuid, "project_id": "p1", "user_id": "u1"}
    for number in range(actions):
        caller = replace(CALLER, request_id=f"req-{number}")
        action_log.start(session, "create", made.uuid, caller, then)
        session.flush()
        action_log.finish(session, made.uuid, caller.request_id, event="compute_build", now=then)
    instances.record_fault(session, session.scalars(sa.select(InstanceRow).where(InstanceRow.uuid == made.uuid)).one(),
                           code=500, message="no", details="", now=then)
    session.add_all([
        DecisionRow(instance_uuid=made.uuid, host="h1", document={}, decided_at=1),
        BlockDeviceRow(uuid=str(uuid.uuid4()), instance_uuid=made.uuid, source_type="image", destination_type="local", document={}, created_at=then),
        MigrationRow(uuid=str(uuid.uuid4()), **own, migration_type="resize", status="done", document={}, created_at=then, updated_at=then),
        ConsoleTokenRow(token_hash=made.uuid, instance_uuid=made.uuid, epoch=1, host="h1", console_type="novnc", document={}, expires_at=1),
        InstanceMapping(uuid=made.uuid, cell=FIRST_CELL, project_id="p1", user_id="u1", cores=1, ram=1, created_at=now_ms(), released_at=1),
        Reservation(uuid=str(uuid.uuid4()), **own, cores=1, ram=1, created_at=now_ms()),
        ServerGroupMemberRow(group_uuid=str(uuid.uuid4()), instance_uuid=made.uuid),
    ])
    return made.uuid


def left(database):
    with database.read() as session:
        return {row.__tablename__: count for row in ABOUT_SERVERS if (count := session.scalar(sa.select(sa.func.count()).select_from(row)))}


def everything(cells, *, before=None, limit=1000):
    found, rows = archive.move_servers(cells, FIRST_CELL, before=before, limit=limit, now=NOW)
    return found, rows


def test_a_deleted_server_leaves_every_table_and_is_kept_whole(database):
    cells = Cells.single(database)
    gone, here = database.write(server), database.write(server, deleted=False)
    found, rows = everything(cells)
    assert found == 1
    assert rows == {
        "instances": 1, "instance_actions": 2, "instance_action_events": 2, "instance_faults": 1, "block_devices": 1, "migrations": 1,
        "decisions": 1, "global.instance_mappings": 1, "global.reservations": 1, "global.server_group_members": 1,
    }
    assert left(database) == {row.__tablename__: 2 if row in (InstanceActionRow, InstanceActionEventRow) else 1 for row in ABOUT_SERVERS}
    assert database.fetch(instances.known, [gone, here]) == {here}
    kept = database.fetch(archive.find, gone)
    assert {name: len(of_table) for name, of_table in kept.items()} == dict(rows)
    assert kept["instances"][0]["terminated_at"] == NOW.isoformat()
    assert kept["global.instance_mappings"][0]["cores"] == 1
    assert database.fetch(archive.find, here) is None
    assert everything(cells) == (0, {}), "again: nothing is left to do"


def test_no_table_about_servers_is_forgotten():
    about = {table.name for table in schema.tables() if "instance_uuid" in table.c}
    owned_elsewhere = {"claims", "tasks", "host_debts"}          # a server which has one is not over
    assert about - owned_elsewhere == {row.__tablename__ for row in ABOUT_SERVERS if "instance_uuid" in row.__table__.c}


def test_servers_somebody_has_to_do_with_stay(sqlite):
    cells = Cells.single(sqlite)
    with_task, with_claim, with_debt = (sqlite.write(server) for _ in range(3))
    sqlite.write(tasks.add, kind="delete", instance_uuid=with_task, epoch=1, step="free", caller=CALLER, now=NOW, state=BuildState())
    sqlite.write(lambda session: session.add(ClaimRow(
        instance_uuid=with_claim, role="instance", compute_node_id=1, epoch=1, vcpus=1, memory_mb=1, disk_gb=1, resources={}, created_at=NOW,
    )))
    sqlite.write(debts.owe, Debt(host="h1", instance_uuid=with_debt, epoch=1, instance_name="instance-1"), now=NOW)
    assert everything(cells) == (0, {})


def test_only_what_was_deleted_before_goes_and_no_more_than_the_limit(database):
    old = {database.write(server, age=age) for age in (40, 50, 60)}
    new = database.write(server, age=1)
    cells = Cells.single(database)
    before = NOW - timedelta(days=30)
    assert everything(cells, before=before, limit=2)[0] == 2
    assert everything(cells, before=before)[0] == 1
    assert everything(cells, before=before) == (0, {})
    assert database.fetch(instances.known, [*old, new]) == {new}


class _Killed(Exception):
    """What `kill -9` is, in a test."""


@pytest.mark.parametrize("last", ["_known", "_move", "_unsettled", "_forget"])
def test_a_run_which_dies_is_finished_by_the_next(sqlite, last):
    class Dying(type(sqlite)):
        def fetch(self, function, *arguments, **options):
            return self._then(super().fetch(function, *arguments, **options), function)

        def write(self, function, *arguments, **options):
            return self._then(super().write(function, *arguments, **options), function)

        def _then(self, answer, function):
            if function.__name__ == last:
                raise _Killed
            return answer

    gone = sqlite.write(server)
    dying = Dying(str(sqlite.url))
    with pytest.raises(_Killed):
        everything(Cells.single(dying))
    dying.dispose()
    everything(Cells.single(sqlite))
    assert left(sqlite) == {}
    assert sqlite.fetch(archive.find, gone)["global.instance_mappings"], "what GLOBAL knew is kept"


def test_the_number_of_statements_does_not_grow_with_the_servers(database):
    cells = Cells.single(database)
    seen = []
    for engine in (database._reader, database._writer):
        sa.event.listen(engine, "before_cursor_execute", lambda *event: seen.append(event[2]))
    counts = []
    for servers in (1, 20):
        for _ in range(servers):
            database.write(server, actions=3)
        seen.clear()
        assert everything(cells)[0] == servers
        counts.append(len(seen))
    assert counts[0] == counts[1], "\n".join(seen)


def test_a_number_is_never_given_again(sqlite):
    sqlite.write(server)
    with sqlite.read() as session:
        newest = session.scalar(sa.select(sa.func.max(InstanceRow.id)))
    everything(Cells.single(sqlite))
    assert sqlite.write(instances.create, [instance()])[0].id > newest, "guests are named by it"


def test_purge_removes_what_is_old_enough_and_settled(database):
    cells = Cells.single(database)
    for age in (1, 40):
        database.write(server, age=age)
    everything(cells)
    assert database.write(archive.purge, before=NOW - timedelta(days=30)) == 1
    database.write(lambda session: session.execute(sa.update(ArchivedRow).values(settled=0)))
    assert database.write(archive.purge, before=None) == 0, "GLOBAL may know of it still"
    archive.settle(cells, FIRST_CELL)
    assert database.write(archive.purge, before=None) == 1
    assert database.write(archive.purge, before=None) == 0


def test_usage_audits_go_but_for_the_newest_period_and_unfinished_ones(sqlite):
    def audit(days, state="DONE"):
        end = NOW - timedelta(days=days)
        return UsageAuditRow(host="h1", period_beginning=end - timedelta(days=30), period_ending=end, state=state, touched_at=1)

    sqlite.write(lambda session: session.add_all([audit(0), audit(30), audit(60), audit(90, "RUNNING")]))
    move = {"limit": 10, "now": NOW}
    assert sqlite.write(archive.move_audits, before=NOW - timedelta(days=40), **move).total() == 1
    assert sqlite.write(archive.move_audits, before=None, **move).total() == 1
    assert sqlite.write(archive.move_audits, before=None, **move).total() == 0
    assert sqlite.write(archive.purge, before=None) == 2
