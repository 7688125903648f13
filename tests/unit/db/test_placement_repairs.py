"""What the audit finds in claims and counts is made right again: only that, and only if it is still so."""

import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa

from novalike.db import audit, claims, hosts, placement_repairs, server_migrations
from novalike.db.cells import Cells
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.instances import InstanceRow
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.objects.leftover import Leftover, Result
from novalike.objects.move_tasks import Departure
from tests import factories_hosts as make
from tests.unit.db.test_audit import NOW, hold, owned_cloud, port, task


@pytest.fixture
def cloud(sqlite):
    return owned_cloud(sqlite)


@pytest.fixture
def everywhere(database):
    return owned_cloud(database)


def check(database):
    return audit.leftovers(Cells.single(database))


def repair(database, findings):
    return [placement_repairs.repair(Cells.single(database), one) for one in findings]


def claimed(database, uuid):
    return {one.role: (one.host, one.vcpus, one.memory_mb, one.disk_gb) for one in database.fetch(claims.of_instance, uuid)}


@pytest.mark.parametrize("damage", [
    lambda s, i: s.execute(sa.delete(ClaimRow)),
    lambda s, i: s.execute(sa.update(InstanceRow).values(host=None, node=None)),
    lambda s, i: s.execute(sa.update(InstanceRow).values(host="host2", node="host2.example.org")),
    lambda s, i: s.execute(sa.update(ClaimRow).values(vcpus=2, server_group="g")),
    lambda s, i: s.execute(sa.update(ClaimRow).values(hardware={"threads": 2})),
    lambda s, i: hold(s, i, role="migration"),
    lambda s, i: hold(s, str(uuid.uuid4())),
    lambda s, i: s.execute(sa.update(InstanceMapping).values(cores=3)),
    lambda s, i: s.execute(sa.update(InstanceMapping).values(released_at=1)),
    lambda s, i: s.execute(sa.update(InstanceRow).values(vm_state="soft-delete")),
    lambda s, i: s.execute(sa.delete(InstanceMapping)),
    lambda s, i: s.add(InstanceMapping(
        uuid=str(uuid.uuid4()), cell="cell1", project_id="p1", user_id="u1", cores=1, ram=1, confirmed=1, created_at=1)),
    lambda s, i: s.add(Reservation(
        uuid=str(uuid.uuid4()), instance_uuid=i, project_id="p1", user_id="u1", cores=1, ram=0, created_at=1)),
], ids=[
    "no claim", "nowhere", "elsewhere", "amounts", "hardware", "doubled", "orphan", "count", "uncounted", "soft-deleted", "unmapped",
    "no instance", "reservation",
])
def test_what_is_found_is_repaired_once(cloud, damage):
    cloud.write(hosts.register_compute_node, make.inventory("host2"))
    cloud.write(lambda session: damage(session, cloud.instance))
    found = check(cloud)
    assert len(found) == 1, found
    assert repair(cloud, found) == [Result.REPAIRED]
    assert check(cloud) == ()
    assert repair(cloud, found) == [Result.GONE]
    assert check(cloud) == ()


def test_a_claim_follows_its_server(everywhere):
    everywhere.write(hosts.register_compute_node, make.inventory("host2"))
    before = everywhere.fetch(lambda s: dict(s.execute(sa.select(ComputeNodeRow.host, ComputeNodeRow.changed_at)).all()))
    everywhere.write(lambda s: s.execute(sa.update(InstanceRow).values(host="host2", node="host2.example.org")))
    repair(everywhere, check(everywhere))
    assert claimed(everywhere, everywhere.instance) == {"instance": ("host2", 1, 512, 1)}
    after = everywhere.fetch(lambda s: dict(s.execute(sa.select(ComputeNodeRow.host, ComputeNodeRow.changed_at)).all()))
    assert all(after[host] > before[host] for host in before), "schedulers do not see it"


def resized(cloud, **new):
    """The server grew and came from host2, to which it may yet go back; nothing else knows of it."""
    flavor = replace(make.flavor(), **new)
    migration = str(uuid.uuid4())

    def arrive(session):
        instance = placement_repairs._server(session, cloud.instance)[0]
        departure = Departure(
            host="host2", node="host2.example.org", availability_zone="nova", vm_state="active", flavor=instance.flavor, auto_disk_config=False,
        )
        server_migrations.add(session, migration, instance, "resize", departure=departure, flavor=flavor, now=NOW)
        session.flush()
        server_migrations.update(session, migration, server_migrations.FINISHED, now=NOW)
        row = session.scalars(sa.select(InstanceRow)).one()
        row.document = {**row.document, "flavor": {**row.document["flavor"], **new}}
        row.vm_state = "resized"
    cloud.write(hosts.register_compute_node, make.inventory("host2"))
    cloud.write(arrive)
    return migration


def test_both_places_and_both_sizes_of_a_resized_server(everywhere):
    migration = resized(everywhere, vcpus=3, memory_mb=256)
    found = check(everywhere)
    assert sorted(one.text for one in found) == [
        "(instance) holds 1 vCPUs, 512 MiB, 1 GiB instead of 3 vCPUs, 256 MiB, 1 GiB",
        "counts 1 cores, 512 MiB instead of 1 cores, 512 MiB and reserves 2 cores, 0 MiB",
        "may go back to host2 until its resize is confirmed, and holds no claim there",
    ]
    assert repair(everywhere, found) == [Result.REPAIRED] * 3
    assert check(everywhere) == ()
    assert claimed(everywhere, everywhere.instance) == {"instance": ("host1", 3, 256, 1), "migration": ("host2", 1, 512, 1)}
    row = everywhere.fetch(lambda s: s.execute(sa.select(Reservation.uuid, Reservation.cores, Reservation.ram)).one())
    assert tuple(row) == (migration, 2, 0)
    everywhere.write(server_migrations.update, migration, "confirmed", now=NOW)
    found = check(everywhere)
    assert sorted(one.kind for one in found) == ["claim", "quota", "reservation"]
    repair(everywhere, found)
    assert check(everywhere) == ()
    assert claimed(everywhere, everywhere.instance) == {"instance": ("host1", 3, 256, 1)}


def test_nothing_is_done_while_a_task_works_on_the_server(cloud):
    cloud.write(lambda s: s.execute(sa.update(ClaimRow).values(vcpus=2)))
    cloud.write(lambda s: s.execute(sa.update(InstanceMapping).values(cores=3)))
    found = check(cloud)
    cloud.write(task, cloud.instance)
    assert check(cloud) == ()
    assert repair(cloud, found) == [Result.GONE] * 2
    assert claimed(cloud, cloud.instance)["instance"][1] == 2
    cloud.write(lambda s: s.execute(sa.delete(ClaimRow)))
    found = check(cloud)
    assert [(one.text, one.repair) for one in found] == [("is on host1 without a claim", None)]
    assert repair(cloud, found) == [Result.LEFT]


def test_what_somebody_has_to_look_at_is_left_alone(cloud):
    cloud.write(lambda s: s.add(port(str(uuid.uuid4()))))
    assert repair(cloud, check(cloud)) == [Result.LEFT]
    assert len(check(cloud)) == 1


def test_a_server_whose_host_is_gone_gets_no_claim(cloud):
    cloud.write(lambda s: s.execute(sa.update(InstanceRow).values(host="gone", node="gone")))
    found = check(cloud)
    assert repair(cloud, found) == [Result.LEFT]
    assert claimed(cloud, cloud.instance) == {"instance": ("host1", 1, 512, 1)}


def test_only_what_was_shown_is_repaired(cloud):
    """Other words for the same server are another finding."""
    cloud.write(lambda s: s.execute(sa.update(ClaimRow).values(vcpus=2)))
    shown, = check(cloud)
    cloud.write(lambda s: s.execute(sa.update(ClaimRow).values(vcpus=3)))
    assert repair(cloud, [shown, Leftover("claim", "unknown", shown.text, shown.repair)]) == [Result.GONE] * 2
    assert claimed(cloud, cloud.instance)["instance"][1] == 3
