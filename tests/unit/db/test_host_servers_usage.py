"""What the API reads of servers beside the servers themselves, on every database."""

from datetime import timedelta

from novalike.db import host_servers, instances, server_groups, server_migrations, usage
from novalike.db.models.instances import MigrationRow
from novalike.db.models.mappings import InstanceMapping
from novalike.db.models.projects import ServerGroupMemberRow
from novalike.objects.server_group import ServerGroup
from tests.factories_instances import NOW, instance


def test_servers_by_hypervisor(database):
    made = database.write(instances.create, [
        instance(host="h1", node="n1"), instance(host="h1", node="n1"), instance(host="h2", node="n2"),
        instance(host="h3", node="n3", deleted=True),
    ])
    with database.read() as session:
        found = host_servers.of_hosts(session, {"h1", "h2", "h3"})
        assert {place: [s.uuid for s in servers] for place, servers in found.items()} == {
            ("h1", "n1"): [made[0].uuid, made[1].uuid], ("h2", "n2"): [made[2].uuid],
        }
        assert found["h1", "n1"][0].name == made[0].name
        assert host_servers.occupied(session, {"h1", "h3", "h4"}) == {"h1"}
        assert host_servers.of_hosts(session, set()) == {}
        assert host_servers.occupied(session, set()) == set()


def test_runs_in_a_period_and_their_pages(database):
    database.write(instances.create, [
        instance(uuid=f"{name:>036}", project_id=project, launched_at=NOW - timedelta(hours=2), terminated_at=ended)
        for name, project, ended in [
            ("2", "p1", None), ("1", "p1", NOW - timedelta(hours=1)), ("3", "p2", None), ("4", "p1", NOW - timedelta(minutes=119)),
        ]
    ])
    database.write(instances.create, [instance()])    # never launched
    start = NOW - timedelta(minutes=90)
    with database.read() as session:
        runs = usage.list_runs(session, start, NOW)
        assert [run.uuid.lstrip("0") for run in runs] == ["1", "2", "3"]
        assert [run.hours(start, NOW) for run in runs] == [0.5, 1.5, 1.5]
        after = usage.place(session, runs[0].uuid)
        assert [run.uuid.lstrip("0") for run in usage.list_runs(session, start, NOW, limit=1, after=after)] == ["2"]
        assert usage.list_runs(session, start, NOW, project_id="p3") == []
        assert usage.place(session, "nowhere") is None


def test_migrations_newest_first_with_equal_times(database):
    def add(session):
        session.add_all(MigrationRow(
            uuid=f"m{number}", instance_uuid="i", migration_type="resize", status="done", source_host="a", dest_host="b",
            project_id="p", user_id="u", document={}, created_at=NOW + timedelta(hours=number // 2), updated_at=NOW,
        ) for number in range(4))
    database.write(add)
    with database.read() as session:
        assert [m.uuid for m in server_migrations.list_page(session, server_migrations.Filters())] == ["m3", "m2", "m1", "m0"]
        after = server_migrations.place(session, "m2")
        rest = server_migrations.list_page(session, server_migrations.Filters(host="b"), limit=1, after=after)
        assert [m.uuid for m in rest] == ["m1"]
        assert server_migrations.list_page(session, server_migrations.Filters(host="c")) == []


def test_groups_and_their_members(database):
    group = ServerGroup(uuid="g", name="n", project_id="p", user_id="u", policy="affinity", rules={"max_server_per_host": 1})

    def fill(session):
        server_groups.create(session, group, cell="cell1", now=NOW)
        for uuid, released in (("i1", None), ("i2", 1)):
            session.add(ServerGroupMemberRow(group_uuid="g", instance_uuid=uuid))
            session.add(InstanceMapping(
                uuid=uuid, cell="cell1", project_id="p", user_id="u", cores=1, ram=1, created_at=0, released_at=released,
            ))
    database.write(fill)
    with database.read() as session:
        found = server_groups.get(session, "g", project_id="p")
        assert (found.members, found.rules, found.policy) == (("i1",), {"max_server_per_host": 1}, "affinity")
        assert server_groups.list_page(session, project_id=None, limit=5, offset=1) == []
        assert server_groups.list_page(session, project_id="q") == []
    database.write(server_groups.delete, "g", project_id=None)
    with database.read() as session:
        assert server_groups.list_page(session, project_id=None) == []
