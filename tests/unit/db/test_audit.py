"""The checker finds each kind of leftover, and nothing in a cloud that is right."""

import uuid
from datetime import datetime

import pytest
import sqlalchemy as sa

from novalike.db import audit, claims, hosts, instances, tasks
from novalike.db.base import now_ms
from novalike.db.cells import Cells
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.instances import ConsoleTokenRow, InstanceActionEventRow, InstanceActionRow, InstanceRow
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.db.models.networks import NetworkRow, PortRow
from novalike.db.models.projects import ServerGroupMemberRow
from novalike.db.models.tasks import TaskRow
from novalike.hardware.capacity import Ratios
from novalike.objects.host import Inventory
from novalike.objects.instance import Instance
from novalike.objects.tasks import BuildState, Caller
from novalike.rpc import serializer
from tests import factories_hosts as make

NOW = datetime.fromisoformat("2026-01-02T03:04:05")


@pytest.fixture
def cloud(sqlite):
    return owned_cloud(sqlite)


@pytest.fixture
def everywhere(database):
    return owned_cloud(database)


def owned_cloud(database):
    """One host and one ACTIVE server on it, with all that belongs to it."""
    node_id = database.write(hosts.register_compute_node, make.inventory())
    spec = make.spec()
    database.write(instances.create, [Instance(
        id=0, uuid=spec.instance_uuid, project_id="p1", user_id="u1", display_name="n", hostname="n", vm_state="active",
        flavor=spec.flavor, created_at=NOW,
    )])
    database.write(claims.claim, spec, node_id=node_id, availability_zone="nova", ratios=Ratios())

    def rest(session):
        session.add(InstanceMapping(
            uuid=spec.instance_uuid, cell="cell1", project_id="p1", user_id="u1", cores=1, ram=512, created_at=now_ms(),
        ))
        session.add(NetworkRow(
            id=NETWORK, project_id="p1", name="n", network_type="flat", tags=[], created_at=NOW, updated_at=NOW,
        ))
        session.flush()
        session.add(port(spec.instance_uuid))

    database.write(rest)
    database.instance = spec.instance_uuid
    return database


NETWORK = str(uuid.uuid4())


def port(device, owner="compute:nova", **changes):
    values = {
        "id": str(uuid.uuid4()), "network_id": NETWORK, "project_id": "p1", "name": "", "mac_address": "fa:16:3e:" + uuid.uuid4().bytes[:3].hex(":"),
        "status": "ACTIVE", "device_id": device, "device_owner": owner, "profile": {}, "address_pairs": [], "tags": [],
        "created_at": NOW, "updated_at": NOW,
    }
    return PortRow(**{**values, **changes})


def found(database, **options):
    return [str(one) for one in audit.leftovers(Cells.single(database), **options)]


def test_all_questions_are_understood_by_each_database(everywhere):
    assert found(everywhere) == []
    assert found(everywhere, idle=True) == []
    everywhere.write(lambda s: s.execute(sa.update(InstanceRow).values(deleted=1)))
    kinds = sorted(text.split()[0] for text in found(everywhere))
    assert kinds == ["claim", "mapping", "port"]


def task(session, instance_uuid, epoch=1):
    tasks.add(
        session, kind="build", instance_uuid=instance_uuid, epoch=epoch, step="place", state=BuildState(),
        caller=Caller(user_id="u", project_id="p", request_id="r"), now=NOW,
    )


def hold(session, instance_uuid, role="instance"):
    session.execute(sa.insert(ClaimRow).values(
        instance_uuid=instance_uuid, role=role, compute_node_id=session.scalar(sa.select(ComputeNodeRow.id)), epoch=1, vcpus=1,
        memory_mb=1, disk_gb=1, resources={}, created_at=NOW,
    ))


DEVICE = {"alias": "a", "address": "0000:01:00.0", "vendor_id": "1", "product_id": "2"}
TWICE = {"devices": [DEVICE, DEVICE]}


@pytest.mark.parametrize(("damage", "finding"), [
    (lambda s, i: s.execute(sa.delete(ClaimRow)), "is on host1 without a claim"),
    (lambda s, i: s.execute(sa.update(InstanceRow).values(host="host2")), "but its instance on host2"),
    (lambda s, i: s.execute(sa.update(InstanceRow).values(host=None)), "but its instance on None"),
    (lambda s, i: s.execute(sa.update(ClaimRow).values(vcpus=2)), "(instance) holds 2 vCPUs, 512 MiB, 1 GiB instead of 1 vCPUs"),
    (lambda s, i: s.execute(sa.update(ClaimRow).values(server_group="g")), "is in server group g, its instance in None"),
    (lambda s, i: s.execute(sa.update(ClaimRow).values(hardware={"threads": 2})), "holds other CPUs, pages or devices"),
    (lambda s, i: s.execute(sa.update(ComputeNodeRow).values(inventory=serializer.dump(Inventory, make.inventory(vcpus=0)))),
     "has promised 1 of 0 vCPUs"),
    (lambda s, i: hold(s, i, role="migration"), "in the role migration, but its instance is not being moved"),
    (lambda s, i: hold(s, str(uuid.uuid4())), "the claim (instance) of an instance which is gone"),
    (lambda s, i: s.execute(sa.update(InstanceMapping).values(cores=3)), "counts 3 cores, 512 MiB instead of 1 cores, 512 MiB"),
    (lambda s, i: s.add(Reservation(
        uuid=str(uuid.uuid4()), instance_uuid=i, project_id="p1", user_id="u1", cores=1, ram=0, created_at=1)), "is not being resized by it"),
    (lambda s, i: (s.execute(sa.update(ClaimRow).values(hardware=TWICE)), s.execute(sa.update(InstanceRow).values(hardware=TWICE))),
     "has given PCI device 0000:01:00.0 to 2 servers"),
    (lambda s, i: s.execute(sa.update(ComputeNodeRow).values(deleted=1)), "was deleted and still has 1 instances"),
    (lambda s, i: s.execute(sa.update(InstanceRow).values(task_state="rebooting")), "no task or action works on it"),
    (lambda s, i: s.execute(sa.update(InstanceRow).values(vm_state="building")), "is building, but no task"),
    (lambda s, i: s.execute(sa.update(InstanceRow).values(action_id=str(uuid.uuid4()), action_name="stop")), "without a task_state"),
    (lambda s, i: s.execute(sa.update(InstanceRow).values(
        action_id=str(uuid.uuid4()), action_name="stop", task_state="powering-off", action_deadline=1)), "past the deadline of its action stop"),
    (lambda s, i: task(s, str(uuid.uuid4())), "build of an instance which is gone"),
    (lambda s, i: task(s, i, epoch=2), "build has epoch 2, its instance 1"),
    (lambda s, i: (task(s, i), s.execute(sa.update(TaskRow).values(deadline=1))), "past the deadline of its step place"),
    (lambda s, i: s.execute(sa.update(InstanceMapping).values(released_at=1)), "no longer counts against the quota"),
    (lambda s, i: s.execute(sa.delete(InstanceMapping)), "has no mapping"),
    (lambda s, i: s.add(port(str(uuid.uuid4()))), "which is gone"),
    (lambda s, i: s.add(port("", owner="", owned=1)), "belongs to none"),
    (lambda s, i: s.add(ServerGroupMemberRow(group_uuid=str(uuid.uuid4()), instance_uuid=str(uuid.uuid4()))), "is in server group"),
    (lambda s, i: s.add(ConsoleTokenRow(
        token_hash="x", instance_uuid=str(uuid.uuid4()), epoch=1, host="h", console_type="novnc", document={}, expires_at=1)), "a console token"),
])
def test_each_kind_is_found(cloud, damage, finding):
    cloud.write(lambda session: damage(session, cloud.instance))
    texts = found(cloud)
    assert len(texts) == 1, texts
    assert finding in texts[0]


def test_an_event_which_nobody_ends_is_found(cloud):
    def start(session):
        action = InstanceActionRow(
            action="create", instance_uuid=cloud.instance, request_id="r", user_id="u", project_id="p", start_time=NOW, updated_at=NOW,
        )
        session.add(action)
        session.flush()
        session.add(InstanceActionEventRow(action_id=action.id, event="compute_build", start_time=NOW))

    cloud.write(start)
    assert [text.split()[0] for text in found(cloud)] == ["event"]
    cloud.write(task, cloud.instance)
    assert found(cloud) == [], "a task works on it"
    assert [text.split()[0] for text in found(cloud, idle=True)] == ["task"]


def test_grace_lets_work_in_progress_pass(cloud):
    cloud.write(lambda s: s.add(InstanceMapping(
        uuid=str(uuid.uuid4()), cell="cell1", project_id="p1", user_id="u1", cores=1, ram=512, created_at=now_ms(),
    )))
    assert found(cloud, grace=60.0) == []
    assert len(found(cloud)) == 1
