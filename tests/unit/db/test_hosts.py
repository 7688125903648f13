"""Services and compute nodes, on each database."""

import threading
import uuid
from datetime import datetime

import pytest
import sqlalchemy as sa

from novalike.db import hosts
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow, ServiceRow
from novalike.exception import Conflict, NotFound
from novalike.objects.host import HostUsage
from tests import factories_hosts as make


def _stamp(database) -> int:
    with database.read() as session:
        return session.scalar(sa.select(ComputeNodeRow.changed_at))


def test_an_unchanged_inventory_does_not_move_the_stamp(database):
    first = database.write(hosts.register_compute_node, make.inventory())
    stamp = _stamp(database)
    assert database.write(hosts.register_compute_node, make.inventory()) == first
    assert _stamp(database) == stamp, "an unchanged inventory made schedulers look again"
    database.write(hosts.register_compute_node, make.inventory(memory_mb=1))
    assert _stamp(database) > stamp, "a changed inventory went unnoticed"


def test_a_copied_state_directory_is_refused(database):
    database.write(hosts.register_compute_node, make.inventory("host1"))
    with pytest.raises(Conflict, match="copied"):
        database.write(hosts.register_compute_node, make.inventory("host2", uuid=make.inventory("host1").uuid))


def test_a_host_which_lost_its_state_keeps_its_node(database):
    first = database.write(hosts.register_compute_node, make.inventory(uuid="a" * 36))
    assert database.write(hosts.register_compute_node, make.inventory(uuid="b" * 36)) == first


def test_registering_at_the_same_time_makes_one_row(database):
    ids, errors = [], []

    def register():
        try:
            database.write(hosts.report_service, host="h", binary="novalike-compute", topic="compute")
            ids.append(database.write(hosts.register_compute_node, make.inventory()))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=register) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(ids) == 8
    assert len(set(ids)) == 1
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ServiceRow)) == 1


def test_up_is_decided_by_the_database_clock(database):
    uuid = database.write(hosts.report_service, host="h", binary="b", topic="t")
    with database.read() as session:
        assert hosts.get_service(session, uuid, down_after=60).up
    database.write(lambda session: session.execute(sa.update(ServiceRow).values(last_seen=ServiceRow.last_seen - 61_000)))
    with database.read() as session:
        assert not hosts.get_service(session, uuid, down_after=60).up
    unknown = database.write(hosts.heartbeat, ["h", "other"], "b")
    assert unknown == {"other"}
    with database.read() as session:
        assert hosts.find_service(session, "h", "b", down_after=60).up
    service = database.write(hosts.update_service, uuid, down_after=60, forced_down=True)
    assert not service.up
    assert service.forced_down


def test_enabling_forgets_the_reason(database):
    uuid = database.write(hosts.report_service, host="h", binary="b", topic="t")
    service = database.write(hosts.update_service, uuid, down_after=60, disabled=True, disabled_reason="disks")
    assert (service.disabled, service.disabled_reason) == (True, "disks")
    service = database.write(hosts.update_service, uuid, down_after=60, disabled=False)
    assert (service.disabled, service.disabled_reason) == (False, None)


def test_deleting_a_compute_service_takes_its_node_along_and_registering_brings_it_back(database):
    uuid = database.write(hosts.report_service, host="host1", binary=hosts.COMPUTE_BINARY, topic="compute")
    node_id = database.write(hosts.register_compute_node, make.inventory())
    database.write(hosts.delete_service, uuid)
    with database.read() as session:
        assert hosts.list_compute_nodes(session, down_after=60) == []
        with pytest.raises(NotFound):
            hosts.get_service(session, uuid, down_after=60)
    assert database.write(hosts.register_compute_node, make.inventory()) == node_id
    with database.read() as session:
        assert [node.id for node in hosts.list_compute_nodes(session, down_after=60)] == [node_id]


def test_nodes_page_by_id_and_match_by_name(database):
    ids = [database.write(hosts.register_compute_node, make.inventory(f"host{n}")) for n in range(5)]
    database.write(hosts.report_service, host="host0", binary=hosts.COMPUTE_BINARY, topic="compute")
    database.write(hosts.report_usage, "host0", "host0.example.org", HostUsage(running_vms=3))
    with database.read() as session:
        first = hosts.list_compute_nodes(session, down_after=60, limit=2)
        assert [node.id for node in first] == ids[:2]
        assert first[0].service is not None
        assert first[0].service.up
        assert first[0].usage.running_vms == 3
        assert [node.id for node in hosts.list_compute_nodes(session, down_after=60, after_id=ids[1])] == ids[2:]
        assert [node.host for node in hosts.list_compute_nodes(session, down_after=60, hostname_pattern="st3.ex")] == ["host3"]
        assert hosts.list_compute_nodes(session, down_after=60, hostname_pattern="%") == []
        assert hosts.get_compute_node(session, make.inventory("host2").uuid, down_after=60).inventory == make.inventory("host2")


def test_build_failures_count_and_reset(database):
    database.write(hosts.register_compute_node, make.inventory())
    stamps = [_stamp(database)]
    for change in (hosts.count_build_failure, hosts.count_build_failure, hosts.reset_build_failures):
        database.write(change, "host1")
        stamps.append(_stamp(database))
    assert stamps == sorted(set(stamps)), "each change moves the stamp"
    database.write(hosts.reset_build_failures, "host1")
    assert _stamp(database) == stamps[-1], "a success after a success is no news"


def test_dedicated_cpus_count_as_used(database):
    node_id = database.write(hosts.register_compute_node, make.inventory(resources={"PCPU": make.custom_resource(total=4)}))
    database.write(lambda session: session.add(ClaimRow(
        instance_uuid=str(uuid.uuid4()), role="instance", compute_node_id=node_id, epoch=1, vcpus=1, memory_mb=1, disk_gb=0, resources={"PCPU": 3},
        server_group=None, created_at=datetime.fromisoformat("2026-01-02T03:04:05"),
    )))
    [node] = database.fetch(hosts.list_compute_nodes, down_after=60)
    assert node.vcpus_used == 4
