"""resize, migrate, confirmResize, revertResize: what is refused and in which words, and what an acceptance leaves behind."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from novalike.db import flavors, hosts, instances, quotas, server_migrations, tasks
from novalike.db.models.hosts import ServiceRow
from novalike.db.models.instances import InstanceRow, MigrationRow
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.objects.move_tasks import Departure
from tests import factories
from tests.api import client as clients
from tests.api.client import PROJECT, USER, Client
from tests.factories_hosts import inventory
from tests.factories_instances import instance

OTHER = "host-2"


@pytest.fixture
def sizes(sqlite):
    """Flavors by name; `tiny` is the server's."""
    def make(name, **values):
        return sqlite.write(flavors.create, factories.flavor(flavorid=name, name=name, **values), now=factories.NOW)
    return {
        "tiny": make("tiny", vcpus=1, memory_mb=512, root_gb=2, ephemeral_gb=1), "large": make("large", vcpus=4, memory_mb=2048, root_gb=4, ephemeral_gb=1),
        "short": make("short", vcpus=4, memory_mb=2048, root_gb=1, ephemeral_gb=1), "none": make("none", vcpus=4, memory_mb=2048, root_gb=0, ephemeral_gb=1),
        "bare": make("bare", vcpus=4, memory_mb=2048, root_gb=4, ephemeral_gb=0),
        "less": make("less", vcpus=1, memory_mb=256, root_gb=2, ephemeral_gb=1), "off": make("off", vcpus=4, memory_mb=2048, root_gb=4, ephemeral_gb=1, disabled=True),
    }


@pytest.fixture
def image(services):
    return services.images.add(factories.image(min_ram=300, properties={}))


@pytest.fixture
def server(sqlite, services, sizes, image):
    def make(session):
        for name in ("host-1", OTHER):
            hosts.report_service(session, host=name, binary=hosts.COMPUTE_BINARY, topic="compute")
            hosts.register_compute_node(session, inventory(host=name))
        [made] = instances.create(session, [instance(
            project_id=PROJECT, user_id=USER, vm_state="active", task_state=None, host="host-1", node="host-1", flavor=sizes["tiny"],
            image_ref=image.id, launched_at=factories.NOW, power_state=1,
        )])
        session.add(InstanceMapping(
            uuid=made.uuid, cell="cell1", project_id=PROJECT, user_id=USER, cores=1, ram=512, confirmed=1, created_at=0,
        ))
        return made.uuid
    return sqlite.write(make)


def act(client: Client, server: str, body: dict, version: str = "2.104"):
    return client.at(version).post(f"/servers/{server}/action", body)


def change(sqlite, server, **values):
    sqlite.write(lambda session: session.execute(sa.update(InstanceRow).where(InstanceRow.uuid == server).values(**values)))


def used(sqlite):
    usage = sqlite.fetch(quotas.usage, PROJECT)
    return usage.cores, usage.ram


def test_an_accepted_resize_has_a_task_a_migration_and_a_reservation(member, services, sqlite, server, sizes):
    answer = act(member, server, {"resize": {"flavorRef": "large", "OS-DCF:diskConfig": "AUTO"}})
    assert (answer.status, answer.body) == (202, b"")
    shown = member.get(f"/servers/{server}").json["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"], shown["flavor"]["id"]) == ("RESIZE", "resize_prep", "tiny")
    with sqlite.read() as session:
        task = tasks.of_instance(session, server)
        [row] = session.scalars(sa.select(MigrationRow))
    assert (task.kind, task.epoch) == ("resize", 2)
    assert services.doorbell.rung == [[task.id]]
    assert (row.status, row.migration_type, row.source_host, row.dest_host) == ("pre-migrating", "resize", "host-1", None)
    assert (row.document["old_flavor_id"], row.document["new_flavor_id"]) == (sizes["tiny"].id, sizes["large"].id)
    assert used(sqlite) == (4, 2048), "what it grows by counts at once"
    again = act(member, server, {"resize": {"flavorRef": "large"}})
    assert (again.status, again.fault) == (409, f"Cannot 'resize' instance {server} while it is in task_state resize_prep")
    assert used(sqlite) == (4, 2048)


@pytest.mark.parametrize(("flavor", "words"), [
    ("tiny", "When resizing, instances must change flavor!"),
    ("nowhere", "Flavor nowhere could not be found."),
    ("off", "Flavor off could not be found."),
    ("short", "Server disk was unable to be resized because: Unable to resize disk down."),
    ("bare", "Server disk was unable to be resized because: Unable to resize disk down."),
    ("none", "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed."),
    ("less", "Flavor's memory is too small for requested image."),
])
def test_flavors_which_do_not_fit_are_refused(member, sqlite, server, flavor, words):
    answer = act(member, server, {"resize": {"flavorRef": flavor}})
    assert (answer.status, answer.fault) == (400, words)
    assert used(sqlite) == (1, 512)
    assert sqlite.fetch(tasks.of_instance, server) is None


def test_a_server_whose_image_is_gone_can_grow(member, services, server, image):
    del services.images.images[image.id]
    assert act(member, server, {"resize": {"flavorRef": "large"}}).status == 202


def test_automatic_disks_are_refused_where_the_image_forbids_them(member, sqlite, server):
    with sqlite.read() as session:
        document = session.scalar(sa.select(InstanceRow.document).where(InstanceRow.uuid == server))
    change(sqlite, server, document={**document, "image_properties": {"auto_disk_config": "False"}})
    answer = act(member, server, {"resize": {"flavorRef": "large", "OS-DCF:diskConfig": "AUTO"}})
    assert answer.status == 400
    assert answer.fault.endswith("has automatic disk resize disabled.")


def test_quota_is_asked_for_the_difference_only(member, admin, sqlite, server):
    admin.put(f"/os-quota-sets/{PROJECT}", {"quota_set": {"cores": 3, "ram": 4096}})
    answer = act(member, server, {"resize": {"flavorRef": "large"}})
    assert (answer.status, answer.fault) == (403, "Quota exceeded for cores: Requested 3, but already used 1 of 3 cores")
    admin.put(f"/os-quota-sets/{PROJECT}", {"quota_set": {"cores": 4}})
    assert act(member, server, {"resize": {"flavorRef": "large"}}).status == 202


def test_a_refused_resize_gives_its_quota_back(member, sqlite, server, services):
    change(sqlite, server, locked_by="owner")
    answer = act(member, server, {"resize": {"flavorRef": "large"}})
    assert (answer.status, answer.fault) == (409, f"Instance {server} is locked")
    with sqlite.read() as session:
        assert session.scalars(sa.select(Reservation)).all() == []


@pytest.mark.parametrize("word", ["resize", "migrate"])
def test_a_server_on_a_host_which_is_down_stays(admin, sqlite, server, word):
    sqlite.write(lambda session: session.execute(sa.update(ServiceRow).where(ServiceRow.host == "host-1").values(forced_down=1)))
    answer = act(admin, server, {word: {"flavorRef": "large"} if word == "resize" else None})
    assert (answer.status, answer.fault) == (409, "Service is unavailable at this time.")


def test_only_managers_migrate_and_only_admins_name_a_host(app, member, admin, server):
    manager = Client(app, clients.context("manager", "member", "reader"))
    assert act(member, server, {"migrate": None}).status == 403
    assert act(manager, server, {"migrate": {"host": OTHER}}).status == 403
    assert act(admin, server, {"migrate": {"host": "nowhere"}}).fault == "Compute host nowhere could not be found."
    same = act(admin, server, {"migrate": {"host": "host-1"}})
    assert (same.status, same.fault) == (400, "Cannot migrate to the host where the server exists.")
    assert act(manager, server, {"migrate": None}).status == 202


def test_migrate_takes_a_host_from_2_56(admin, sqlite, server):
    assert act(admin, server, {"migrate": {"host": "nowhere"}}, "2.56").status == 400
    assert act(admin, server, {"migrate": {"node": "x"}}, "2.56").status == 400
    assert act(admin, server, {"migrate": {"host": "nowhere"}}, "2.55").status == 202, "nobody looks at it before"
    assert sqlite.fetch(tasks.of_instance, server).state.get("requested_host") is None


@pytest.mark.parametrize("vm_state", ["paused", "error", "rescued", "shelved"])
def test_states_which_do_not_move(admin, sqlite, server, vm_state):
    change(sqlite, server, vm_state=vm_state)
    for body in ({"resize": {"flavorRef": "large"}}, {"migrate": None}):
        word = next(iter(body))
        assert act(admin, server, body).fault == f"Cannot '{word}' instance {server} while it is in vm_state {vm_state}"


@pytest.mark.parametrize(("word", "kind", "status", "shown", "then"), [
    ("confirmResize", "confirm_resize", 204, "VERIFY_RESIZE", "confirming"),
    ("revertResize", "revert_resize", 202, "REVERT_RESIZE", "reverting"),
])
def test_the_end_of_a_resize(member, sqlite, server, sizes, word, kind, status, shown, then):
    early = act(member, server, {word: None})
    assert (early.status, early.fault) == (409, f"Cannot '{word}' instance {server} while it is in vm_state active")
    change(sqlite, server, vm_state="resized")
    nothing = act(member, server, {word: None})
    assert (nothing.status, nothing.fault) == (400, "Instance has not been resized.")
    departure = Departure(
        host=OTHER, node=OTHER, availability_zone="nova", vm_state="active", flavor=sizes["tiny"], auto_disk_config=False,
    )

    def moved(session):
        server_migrations.add(
            session, "m" * 36, instances.get(session, server), "resize", departure=departure, flavor=sizes["large"], now=factories.NOW,
        )
        session.flush()
        server_migrations.update(session, "m" * 36, "finished", now=factories.NOW, dest_host="host-1", dest_node="host-1")
    sqlite.write(moved)
    answer = act(member, server, {word: None})
    assert (answer.status, answer.body) == (status, b"")
    assert sqlite.fetch(tasks.of_instance, server).kind == kind
    assert member.get(f"/servers/{server}").json["server"]["status"] == shown
    assert sqlite.fetch(lambda session: session.scalar(sa.select(MigrationRow.status))) == then
    assert act(member, server, {word: None}).status in (400, 409), "once is enough"


def test_a_servers_own_migrations_are_the_live_ones(admin, app, member, sqlite, server, sizes):
    act(admin, server, {"migrate": None})
    [listed] = admin.at("2.104").get("/os-migrations").json["migrations"]
    assert (listed["migration_type"], listed["status"], listed["instance_uuid"]) == ("migration", "pre-migrating", server)
    path = f"/servers/{server}/migrations"
    assert admin.at("2.22").get(path).status == 404
    assert admin.at("2.23").get(path).json == {"migrations": []}
    assert member.at("2.23").get(path).status == 403
    of_another_kind = admin.at("2.23").get(f"{path}/{listed['id']}")
    assert (of_another_kind.status, of_another_kind.fault) == (404, f"Migration {listed['id']} for server {server} is not live-migration.")
    assert admin.at("2.23").get(f"{path}/77").fault == f"Migration 77 not found for instance {server}"
    sqlite.write(lambda session: session.execute(sa.update(MigrationRow).values(migration_type="live-migration", status="running", dest_host="b")))
    [running] = admin.at("2.80").get(path).json["migrations"]
    assert (running["server_uuid"], running["dest_compute"], running["memory_total_bytes"]) == (server, "b", None)
    manager = Client(app, clients.context("manager", "member", "reader"))
    assert manager.at("2.80").get(path).json["migrations"][0]["dest_compute"] is None
    assert admin.at("2.80").get(f"{path}/{listed['id']}").json["migration"] == running
