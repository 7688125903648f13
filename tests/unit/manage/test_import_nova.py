"""Taking over a Nova: what comes along, what is left and why, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from novalike.db import audit, claims, instances, migrations, quotas, server_migrations
from novalike.db import block_devices as block_device_rows
from novalike.db.cells import Cells
from novalike.db.models.flavors import FlavorRow
from novalike.db.models.instances import InstanceRow
from novalike.db.models.projects import AggregateRow
from novalike.exception import Unavailable
from novalike.manage.import_nova import hardware, versioned
from novalike.manage.import_nova.plan import Kind, Left
from novalike.network.neutron import NeutronClient
from novalike.network.neutron_memory import Adoption
from novalike.objects.hardware import GuestCell, GuestDevice, Hardware
from novalike.objects.network_info import RequestedNetwork
from tests import nova_dump
from tests.factories_instances import instance
from tests.fakes.neutron import Neutron
from tests.nova_dump import Taker, synced, take  # noqa: F401  # fixtures
from tests.unit.network.local.conftest import ALICE, caller, server

SERVERS = nova_dump.recorded("answers")["servers"]


def numbers(rows: dict[str, dict[str, Any]], *names: str) -> list[tuple[int, int, int]]:
    return [(rows[name]["new"], rows[name]["here"], rows[name]["left"]) for name in names]


def of(database, name: str) -> Any:
    return database.fetch(instances.get, SERVERS[name])


def test_everything_is_owned_afterwards_and_a_second_run_finds_nothing_new(take, synced):  # noqa: F811
    dry, planned = take("--dry-run")
    assert synced.fetch(lambda session: session.scalar(sa.select(sa.func.count()).select_from(InstanceRow))) == 0
    first, rows = take()
    assert (dry, planned) == (first, rows)
    assert audit.leftovers(Cells.single(synced), idle=True) == ()
    again, second = take()
    assert again == first
    assert {name: (row["new"], row["here"]) for name, row in second.items() if name != "ports in Neutron"} == {
        name: (0, row["new"] if "of new servers" not in name else 0) for name, row in rows.items() if name != "ports in Neutron"
    }


def test_on_each_database(tmp_path, bare_database):
    migrations.sync(Cells.single(bare_database))
    take_over = Taker(tmp_path, bare_database.url.render_as_string(hide_password=False))
    _, rows = take_over()
    assert numbers(rows, "servers") == [(len(SERVERS) - 1, 0, 1)]
    assert audit.leftovers(Cells.single(bare_database), idle=True) == ()
    assert numbers(take_over()[1], "servers") == [(0, len(SERVERS) - 1, 1)]
    # Numbers of new rows go on after those which were kept.
    made = bare_database.write(instances.create, [instance()])
    assert made[0].id > max(one.id for one in bare_database.fetch(instances.on_host, "vm-1"))


def test_what_a_server_holds_and_remembers(take, synced):  # noqa: F811
    take()
    web, resized, failed = (of(synced, name) for name in ("web", "resized", "no-room"))
    assert (web.name, web.node, web.tags, web.metadata, web.key_type) == ("instance-00000001", "vm-1", ("blue", "green"), {"role": "web", "tier": "1"}, "ssh")
    assert web.key_data.startswith("ssh-ed25519 ")
    (vif,) = web.network_info
    assert (vif.owned, vif.vif_type, vif.bridge, vif.mtu, len(vif.fixed_ips), len(vif.fixed_ips[0].floating)) == (True, "ovs", "br-int", 1450, 2, 1)
    assert [(one.owned, one.nic, one.tag) for one in of(synced, "two-nics").network_info] == [(False, 0, None), (True, 1, "storage")]
    # cell0 has numbers of its own: the guest's name is kept, the number is not.
    assert failed.name == "instance-00000001"
    assert failed.id != web.id
    assert failed.fault.message.startswith("No valid host was found")
    held = {claim.role: (claim.host, claim.vcpus, claim.memory_mb) for claim in synced.fetch(claims.of_instance, resized.uuid)}
    assert held == {"instance": (resized.host, 2, 256), "migration": ("vm-1" if resized.host == "vm-2" else "vm-2", 1, 128)}
    waiting = synced.fetch(server_migrations.awaiting, resized.uuid)
    assert (waiting.departure.vm_state, waiting.flavor.name) == ("active", "larger")
    project = web.project_id
    assert synced.fetch(quotas.limits, project, web.user_id, {"cores": 1, "ram": 2, "metadata_items": 3}) == {"cores": 1000, "ram": 40000, "metadata_items": 64}
    assert [(one.source_type, one.guest_format, one.size_gb) for one in synced.fetch(block_device_rows.of_instance, SERVERS["disks"])] == [
        ("image", None, None), ("blank", None, 1), ("blank", "swap", None),
    ]
    assert of(synced, "shelved").system_metadata.keys() >= {"shelved_at", "shelved_image_id", "shelved_host"}
    assert (of(synced, "locked").locked_reason, of(synced, "locked-by-admin").locked_by) == ("payroll", "admin")


def test_a_run_which_breaks_off_is_finished_by_the_next(take, synced):  # noqa: F811
    """What counts servers is stored before them: a batch which fails is not half there, and the next run stores it whole."""
    with synced.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON claims BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    status, _ = take()
    assert (status, "the disk is full" in take.said) == (3, True)
    assert synced.fetch(lambda session: session.scalar(sa.select(sa.func.count()).select_from(InstanceRow))) == 0
    with synced.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
    _, rows = take()
    assert numbers(rows, "servers", "flavors", "compute nodes") == [(len(SERVERS) - 1, 0, 1), (0, 5, 0), (0, 2, 0)]
    assert audit.leftovers(Cells.single(synced), idle=True) == ()


def test_servers_on_which_nova_works_wait_or_come_along_idle(take, synced):  # noqa: F811
    take.change("nova_cell1", "UPDATE instances SET task_state = 'rebuilding' WHERE uuid = :uuid", uuid=SERVERS["web"])
    take.change("nova_cell1", "UPDATE instances SET vm_state = 'building', task_state = 'spawning' WHERE uuid = :uuid", uuid=SERVERS["paused"])
    status, rows = take("--skip-ports")
    assert status == 1
    assert rows["servers"]["left"] == 3
    assert "2 on which Nova is working: let it end, or take them over idle with --reset-tasks" in rows["servers"]["why"]
    _, rows = take("--reset-tasks")
    assert numbers(rows, "servers") == [(2, len(SERVERS) - 3, 1)]
    assert (of(synced, "web").vm_state, of(synced, "web").task_state) == ("active", None)
    assert (of(synced, "paused").vm_state, of(synced, "paused").fault.message) == ("error", "The build was cut off when Nova was taken over.")
    assert audit.leftovers(Cells.single(synced)) == ()


def test_changes_in_nova_after_the_first_run_are_told(take, synced):  # noqa: F811
    take()
    take.change("nova_cell1", "UPDATE instances SET vm_state = 'stopped', display_name = 'www' WHERE uuid = :uuid", uuid=SERVERS["web"])
    take.change("nova_cell1", "UPDATE instances SET deleted = id, vm_state = 'deleted' WHERE uuid = :uuid", uuid=SERVERS["hinted"])
    take.change("nova_api", "INSERT INTO flavors (id, flavorid, name, vcpus, memory_mb, root_gb, swap, is_public, disabled) VALUES (70, 'f', 'late', 1, 1, 1, 0, 1, 0)")
    status, rows = take()
    assert (status, rows["flavors"]["new"]) == (1, 1)
    why = rows["servers"]["why"]
    assert f"{SERVERS['web']} stays as it is here: vm_state active, in Nova stopped, display_name web, in Nova www" in why
    assert f"{SERVERS['hinted']} is deleted in Nova, and here it is not" in why
    assert of(synced, "web").vm_state == "active"


def test_what_cannot_come_is_left_with_a_reason(take, synced):  # noqa: F811
    synced.write(lambda session: session.add(FlavorRow(
        flavorid="mine", name="tiny", vcpus=1, memory_mb=1, root_gb=1, extra_specs={}, created_at=sa.func.now(),
    )))
    take.change("nova_cell1", "UPDATE instances SET host = 'lost', node = 'lost' WHERE uuid = :uuid", uuid=SERVERS["stopped"])
    take.change("nova_cell1", "UPDATE instance_extra SET flavor = NULL WHERE instance_uuid = :uuid", uuid=SERVERS["paused"])
    take.change("nova_cell1", "UPDATE instance_extra SET flavor = '{\"cur\": {\"id\": 1}}' WHERE instance_uuid = :uuid", uuid=SERVERS["rescued"])
    take.change("nova_cell1", "UPDATE instances SET project_id = :long WHERE uuid = :uuid", long="p" * 65, uuid=SERVERS["locked"])
    take.change("nova_api", "INSERT INTO build_requests (id, instance_uuid) VALUES (1, 'x')")
    status, rows = take(cells=(take.nova["nova_cell1"],))
    assert (status, rows["flavors"]["why"]) == (1, "1 whose name tiny the flavor mine has here (1)")
    why = rows["servers"]["why"]
    for reason in (
        f"1 on host lost, which has no compute node ({SERVERS['stopped']})", "without a flavor of their own", "in a way that is not understood",
        "whose project id has more than 64 characters", f"in none of the given databases; Nova has them in cell0 ({SERVERS['no-room']})",
    ):
        assert reason in why
    assert "let Nova end them, or create them again" in rows["builds"]["why"]


def test_wrong_databases_are_refused_and_nothing_is_written(take, synced, tmp_path):  # noqa: F811
    take.change("nova_cell0", "ALTER TABLE instance_extra DROP COLUMN numa_topology")
    empty = tmp_path / "empty.db"
    empty.touch()
    api, good = take.nova["nova_api"], (take.nova["nova_cell1"],)
    for given, cells, complaint in (
        ("mysql+pymysql://nobody:secret@127.0.0.1:1/nova_api", good, "cannot be read"), ("nonsense", good, "of no use"),
        ("nonsense://x", good, "of no use"), (f"sqlite:///{tmp_path}/none.db", good, "There is no database"),
        (f"sqlite:///{empty}", good, "it has no table"), (take.nova["nova_cell1"], good, "is Nova's cell database, and was given as its API database"),
        (api, (api,), "is Nova's API database, and was given as its cell database"), (take.url, good, "a database of novalike's own"),
        (api, (take.nova["nova_cell0"],), "its table instance_extra has no column numa_topology"),
    ):
        status, _ = take(api=given, cells=cells)
        assert (status, take.said.count("\n")) == (3, 1), take.said
        assert complaint in take.said
        assert "secret" not in take.said
    assert synced.fetch(lambda session: session.scalar(sa.select(sa.func.count()).select_from(AggregateRow))) == 0


def test_own_tables_have_to_be_there(tmp_path):
    unsynced = Taker(tmp_path, f"sqlite:///{tmp_path}/unsynced.db")
    assert unsynced()[0] == 3
    assert unsynced.said.startswith("novalike-manage: The tables of global, cell1 are not at the newest revision; run novalike-manage db sync.")


def test_guests_may_have_been_named_otherwise(take, synced):  # noqa: F811
    take("--instance-name-template", "vm-%(uuid)s")
    assert of(synced, "web").name == f"vm-{SERVERS['web']}"
    assert take("--instance-name-template", "%q")[0] == 3


def test_a_plan_shows_examples_and_no_endless_list():
    kind = Kind("servers")
    for number in range(30):
        kind.leave(str(number), Left("lost", matters=False))
        kind.remarks.append(f"remark {number}")
    assert kind.why().startswith("30 lost (0, 1, 2, ...); remark 0; ")
    assert kind.why().endswith("remark 19; and 10 remarks more")
    assert (kind.left, kind.matters) == (30, False)


def test_nova_s_objects_are_unwrapped():
    assert versioned.data(None) is None
    wrapped = '{"nova_object.name": "A", "nova_object.data": {"objects": [{"nova_object.data": {"x": {"nova_object.data": {"y": 1}}}}]}}'
    assert versioned.data(wrapped) == [{"x": {"y": 1}}]


def test_cpus_and_devices_of_a_server():
    cell = {
        "id": 1, "cpuset": [2], "pcpuset": [0, 1], "memory": 512, "pagesize": 2048, "cpu_pinning_raw": {"1": 5, "0": 4}, "cpuset_reserved": [6],
        "cpu_topology": {"nova_object.data": {"sockets": 1, "cores": 1, "threads": 2}},
    }
    extra = {
        "numa_topology": str({"nova_object.data": {"cells": [{"nova_object.data": cell}], "emulator_threads_policy": "isolate"}}).replace("'", '"'),
        "pci_requests": '[{"request_id": "r1", "alias_name": "gpu"}]',
    }
    device = {"address": "0000:81:00.0", "vendor_id": "10de", "product_id": "1db4", "dev_type": "type-PCI", "status": "allocated", "request_id": "r1"}
    assert hardware.of(extra, [device]) == Hardware(
        cells=(GuestCell(host_cell=1, cpus=(0, 1, 2), memory_mb=512, page_kb=2048, pins=((0, 4), (1, 5))),), emulator="isolate", emulator_cpus=(6,),
        threads=2, devices=(GuestDevice(alias="gpu", address="0000:81:00.0", vendor_id="10de", product_id="1db4"),),
    )
    assert hardware.of({"numa_topology": None, "pci_requests": "[]"}, []) is None
    with pytest.raises(Left, match="of a port"):
        hardware.of(extra, [{**device, "request_id": "other"}])


def test_neutron_remembers_ports_of_servers_which_were_taken_over(sqlite):
    """Told by tags: they are freed like ports of ours, and keep their order and tags."""
    neutron = Neutron(sqlite)
    client, network = NeutronClient(neutron), neutron.network()
    brought = neutron.local.ports.create(ALICE, [{"network_id": network.id, "name": "brought"}])[0]
    one = server()
    wanted = (RequestedNetwork(network_id=network.id, port_id=brought.id, tag="disk"), RequestedNetwork(network_id=network.id))
    vifs = client.allocate(caller(), one, wanted, host="h1")
    for vif in vifs:                             # as Nova leaves them
        neutron("PUT", f"/ports/{vif.port_id}", {}, {"port": {"binding:profile": {}}})
    assert not any(vif.owned for vif in client.info(caller(), one.uuid))
    adoption = Adoption(neutron)
    for _ in range(2):
        assert adoption.adopt(vifs) == ()
    assert [(vif.port_id, vif.owned, vif.nic, vif.tag) for vif in client.info(caller(), one.uuid)] == [
        (vifs[0].port_id, False, 0, "disk"), (vifs[1].port_id, True, 1, None),
    ]
    assert adoption.adopt([replace(vifs[0], port_id="gone")]) == ("gone",)
    client.free(caller(), one.uuid)
    (left,) = [port for port in neutron("GET", "/ports", {}, None)[1]["ports"] if port["network_id"] == network.id]
    assert (left["id"], left["tags"], left["device_id"]) == (brought.id, [], "")
    group = neutron.local.security_groups.create(ALICE, [{"name": "web"}])[0]
    assert adoption.group_names([group.id, "gone"]) == {group.id: "web"}
    for call in (lambda nobody: nobody.adopt(vifs), lambda nobody: nobody.group_names(["x"])):
        with pytest.raises(Unavailable, match="refused"):
            call(Adoption(lambda *_: (500, None)))
