"""The exact claim, on each database: never over capacity, no lost claim, fenced, idempotent."""

import threading
import uuid
from dataclasses import replace
from datetime import datetime

import pytest
import sqlalchemy as sa

from novalike.db import claims, hosts, instances
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow, HostDebtRow
from novalike.db.models.instances import InstanceRow
from novalike.exception import Fenced
from novalike.hardware.capacity import Amounts, Ratios, Shortage, capacity, demand, shortages
from novalike.objects.hardware import CellWish, DeviceMatch, DeviceWish, HardwareWish, HostCell, HostDevice, Pages
from novalike.objects.instance import Instance
from tests import factories_hosts as make

NOW = datetime.fromisoformat("2026-01-02T03:04:05")
RATIOS = Ratios(1.0, 1.0, 1.0)


def node(database, host="host1", **changes) -> int:
    return database.write(hosts.register_compute_node, make.inventory(host, **changes))


def instance(database, **changes):
    """Store a building instance; answer a spec for it."""
    spec = make.spec(**changes)
    row = Instance(
        id=0, uuid=spec.instance_uuid, project_id="p1", user_id="u1", display_name="n", hostname="n", vm_state="building",
        flavor=spec.flavor, epoch=spec.epoch, created_at=NOW,
    )
    database.write(instances.create, [row])
    return spec


def claim(database, spec, node_id, zone="az1"):
    return database.write(claims.claim, spec, node_id=node_id, availability_zone=zone, ratios=RATIOS)


def placed(database, spec):
    with database.read() as session:
        query = sa.select(InstanceRow.host, InstanceRow.node, InstanceRow.availability_zone)
        return tuple(session.execute(query.where(InstanceRow.uuid == spec.instance_uuid)).one())


def stamp(database, node_id):
    with database.read() as session:
        return session.scalar(sa.select(ComputeNodeRow.changed_at).where(ComputeNodeRow.id == node_id))


def parallel(works):
    """Run all works at once; answer what they raised."""
    errors = []

    def run(work):
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_a_claim_places_the_instance_and_moves_the_stamp(database):
    node_id = node(database)
    before = stamp(database, node_id)
    spec = instance(database, flavor=make.flavor(vcpus=2, memory_mb=100, root_gb=3, ephemeral_gb=4, swap_mb=1))
    result = claim(database, spec, node_id)
    assert isinstance(result, claims.Claimed)
    assert (result.claim.vcpus, result.claim.memory_mb, result.claim.disk_gb) == (2, 100, 8)
    assert placed(database, spec) == ("host1", "host1.example.org", "az1")
    assert stamp(database, node_id) > before
    with database.read() as session:
        assert claims.of_instance(session, spec.instance_uuid) == (result.claim,)
        assert claims.on_node(session, node_id) == (result.claim,)


def test_what_does_not_fit_says_how_much_is_missing(database):
    node_id = node(database, vcpus=4, memory_mb=1000)
    assert isinstance(claim(database, instance(database, flavor=make.flavor(vcpus=3, memory_mb=900)), node_id), claims.Claimed)
    spec = instance(database, flavor=make.flavor(vcpus=2, memory_mb=200))
    assert claim(database, spec, node_id) == claims.DoesNotFit((Shortage("vcpus", 2, 1), Shortage("memory_mb", 200, 100)))
    assert placed(database, spec) == (None, None, None)


def test_claiming_again_answers_the_same_claim_and_exclusion_replaces_it(database):
    first, second = node(database, "host1"), node(database, "host2")
    spec = instance(database)
    assert claim(database, spec, first).fresh
    again = claim(database, spec, second)
    assert (again.claim.host, again.fresh, again.availability_zone) == ("host1", False, "az1")
    with database.read() as session:
        assert claims.held_by(session, spec) == again
    excluding = make.spec(spec.instance_uuid, excluded_hosts=("host1",))
    before = stamp(database, first)
    with database.read() as session:
        assert claims.held_by(session, excluding) is None
    assert claim(database, excluding, second, "az2").claim.host == "host2"
    assert stamp(database, first) > before, "the host which got room back must be looked at again"
    assert placed(database, spec) == ("host2", "host2.example.org", "az2")
    with database.read() as session:
        assert [one.host for one in claims.of_instance(session, spec.instance_uuid)] == ["host2"]


def test_a_full_host_still_answers_the_claim_it_holds(database):
    node_id = node(database, vcpus=1)
    spec = instance(database)
    claim(database, spec, node_id)
    assert claim(database, spec, node_id).fresh is False


def test_a_newer_epoch_or_a_deleted_instance_fences(database):
    node_id = node(database)
    spec = instance(database)
    newer = make.spec(spec.instance_uuid, epoch=2)
    with pytest.raises(Fenced):
        claim(database, newer, node_id)
    database.write(lambda session: session.execute(sa.update(InstanceRow).values(epoch=2)))
    with pytest.raises(Fenced):
        claim(database, spec, node_id)
    assert claim(database, newer, node_id).fresh
    database.write(lambda session: session.execute(sa.update(InstanceRow).values(deleted=1)))
    with pytest.raises(Fenced):
        claim(database, newer, node_id)
    with pytest.raises(Fenced):
        claim(database, make.spec(), node_id)


def test_a_host_in_debt_and_a_deleted_node_take_nothing(database):
    node_id = node(database)
    spec = instance(database)
    database.write(lambda session: session.add(HostDebtRow(
        host="host1", instance_uuid=str(uuid.uuid4()), epoch=1, document={}, wake_at=0, created_at=NOW,
    )))
    assert isinstance(claim(database, spec, node_id), claims.Unusable)
    database.write(lambda session: session.execute(sa.delete(HostDebtRow)))
    database.write(lambda session: session.execute(sa.update(ComputeNodeRow).values(deleted=1)))
    assert isinstance(claim(database, spec, node_id), claims.Unusable)
    assert isinstance(claim(database, spec, 999), claims.Unusable)


def test_a_migration_claim_leaves_the_instance_where_it_is(database):
    first, second = node(database, "host1"), node(database, "host2")
    spec = instance(database)
    claim(database, spec, first)
    claim(database, make.spec(spec.instance_uuid, role="migration"), second)
    assert placed(database, spec)[0] == "host1"
    with database.read() as session:
        assert {(one.role, one.host) for one in claims.of_instance(session, spec.instance_uuid)} == {
            ("instance", "host1"), ("migration", "host2")}


def test_release_gives_back_but_never_what_is_newer(database):
    node_id = node(database)
    spec = instance(database, epoch=2)
    claim(database, spec, node_id)
    assert database.write(claims.release, spec.instance_uuid, epoch=1, clear_host=True) == ()
    assert placed(database, spec)[0] == "host1"
    before = stamp(database, node_id)
    assert len(database.write(claims.release, spec.instance_uuid, epoch=2, clear_host=True)) == 1
    assert stamp(database, node_id) > before
    assert placed(database, spec) == (None, None, None)
    assert database.write(claims.release, spec.instance_uuid, epoch=2) == ()


@pytest.mark.parametrize("group", [None, str(uuid.uuid4())], ids=["alone", "server-group"])
def test_parallel_claims_are_exact(database, group):
    """24 servers race for 2 hosts with room for 8 each: 16 win, none is lost, no host is over its capacity."""
    nodes = [node(database, f"host{n}", vcpus=8) for n in range(2)]
    specs = [instance(database, server_group=group) for _ in range(24)]
    outcomes = {}

    def race(index):
        order = nodes if index % 2 else nodes[::-1]
        for node_id in order:
            result = claim(database, specs[index], node_id)
            if isinstance(result, claims.Claimed):
                outcomes[index] = node_id
                return
        outcomes[index] = None

    errors = parallel([lambda index=index: race(index) for index in range(24)])
    assert not errors
    won = {index: node_id for index, node_id in outcomes.items() if node_id is not None}
    assert len(won) == 16, f"{len(won)} of 16 places were taken"
    with database.read() as session:
        sums = hosts.claim_sums(session, nodes)
        rows = dict(session.execute(sa.select(ClaimRow.instance_uuid, ClaimRow.compute_node_id)).all())
    assert {node_id: total[0] for node_id, total in sums.items()} == dict.fromkeys(nodes, 8)
    assert rows == {specs[index].instance_uuid: node_id for index, node_id in won.items()}


def test_claims_moves_and_releases_in_parallel_stay_exact(database):
    """Servers which hop between two hosts, and come and go, never overfill one."""
    nodes = {f"host{n}": node(database, f"host{n}", vcpus=3) for n in range(2)}
    specs = [instance(database) for _ in range(8)]

    def hop(spec, start):
        for turn in range(4):
            target = f"host{(start + turn) % 2}"
            other = f"host{(start + turn + 1) % 2}"
            claim(database, make.spec(spec.instance_uuid, excluded_hosts=(other,)), nodes[target])
            with database.read() as session:
                for total in hosts.claim_sums(session, list(nodes.values())).values():
                    assert total[0] <= 3
            if turn == 2:
                database.write(claims.release, spec.instance_uuid, epoch=1, clear_host=True)

    errors = parallel([lambda spec=spec, start=start: hop(spec, start) for start, spec in enumerate(specs)])
    assert not errors
    with database.read() as session:
        for spec in specs:
            held = claims.of_instance(session, spec.instance_uuid)
            where = session.scalar(sa.select(InstanceRow.host).where(InstanceRow.uuid == spec.instance_uuid))
            assert where == (held[0].host if held else None), "claim and instances.host disagree"


def test_the_same_claim_sent_twice_at_once_is_one(database):
    nodes = [node(database, f"host{n}") for n in range(2)]
    spec = instance(database)
    results = []
    errors = parallel([lambda n=n: results.append(claim(database, spec, nodes[n % 2])) for n in range(6)])
    assert not errors
    assert len({result.claim.host for result in results}) == 1
    assert sum(result.fresh for result in results) == 1


def test_a_first_claim_is_four_statements(database):
    spec, node_id = instance(database), node(database)
    seen = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    assert isinstance(claim(database, spec, node_id), claims.Claimed)
    assert [text.split()[0] for text in seen if not text.startswith("BEGIN")] == ["UPDATE", "SELECT", "INSERT", "UPDATE"], "see claims.py"


def test_capacity_counts_reserved_amounts_ratios_and_the_largest_server():
    has = capacity(make.inventory(
        vcpus=10, reserved_vcpus=2, cpu_allocation_ratio=None, memory_mb=1000, reserved_memory_mb=100,
        ram_allocation_ratio=1.5, local_gb=100, disk_allocation_ratio=1.1,
    ), Ratios(cpu=4.0))
    assert has.limit == Amounts(32, 1350, 110)
    assert shortages(Amounts(10, 1000, 100), Amounts(), has) == ()
    assert shortages(Amounts(11, 0, 0), Amounts(), has) == (Shortage("vcpus", 11, 1),)
    assert shortages(Amounts(0, 0, 0), Amounts(99, 9999, 999), has) == ()
    assert demand(make.flavor(root_gb=5, swap_mb=1025), root_volume=True) == Amounts(1, 512, 2)


def held(database, spec):
    return {one.role: (one.host, one.vcpus, one.epoch) for one in database.fetch(claims.of_instance, spec.instance_uuid)}


def test_a_move_holds_both_places_which_then_exchange_their_roles(database):
    first, second = node(database), node(database, "host2")
    spec = instance(database)
    claim(database, spec, first)
    database.write(lambda session: session.execute(sa.update(InstanceRow).values(epoch=2)))
    larger = replace(spec, role="migration", epoch=2, flavor=replace(spec.flavor, vcpus=2))
    claim(database, larger, second)
    assert placed(database, spec)[0] == "host1", "it is where it was"
    before = stamp(database, first), stamp(database, second)
    database.write(claims.exchange, spec.instance_uuid, epoch=2)
    assert held(database, spec) == {"instance": ("host2", 2, 2), "migration": ("host1", spec.flavor.vcpus, 2)}
    assert (stamp(database, first), stamp(database, second)) > before
    database.write(claims.release, spec.instance_uuid, epoch=2, roles=("migration",))
    assert held(database, spec) == {"instance": ("host2", 2, 2)}


def test_a_move_on_one_host_needs_room_for_both_sizes(database):
    only = node(database, vcpus=3)
    spec = instance(database)
    claim(database, spec, only)
    moved = replace(spec, role="migration", flavor=replace(spec.flavor, vcpus=2))
    assert isinstance(claim(database, moved, only), claims.Claimed)
    database.write(claims.exchange, spec.instance_uuid, epoch=1)
    assert {role: found[0] for role, found in held(database, spec).items()} == {"instance": "host1", "migration": "host1"}
    other = instance(database)
    assert isinstance(claim(database, other, only), claims.DoesNotFit)


def test_there_is_nothing_to_exchange_without_a_second_place(database):
    only = node(database)
    spec = instance(database)
    claim(database, spec, only)
    with pytest.raises(Fenced):
        database.write(claims.exchange, spec.instance_uuid, epoch=1)
    assert set(held(database, spec)) == {"instance"}


CELL = HostCell(id=0, cpus="0-5", memory_mb=4096, dedicated="0-3", shared="4-5", pages=(Pages(size_kb=4, total=1 << 20),))
NICS = tuple(HostDevice(address=f"0000:05:00.{number}", vendor_id="8086", product_id="1520") for number in range(3))


def picky(database, **changes):
    """A spec for a server which wants one CPU for itself and a device, or what is named."""
    wish = HardwareWish(cells=(CellWish(cpus=(0,), memory_mb=512, dedicated=(0,)),), devices=(
        DeviceWish(alias="nic", count=1, matches=(DeviceMatch(vendor_id="8086"),)),
    ))
    return replace(instance(database), hardware=replace(wish, **changes))


def hardware_of(database, spec):
    with database.read() as session:
        known = instances.get(session, spec.instance_uuid).hardware
        held = {one.role: one.hardware for one in claims.of_instance(session, spec.instance_uuid)}
    return known, held


def test_racing_claims_never_get_the_same_cpu_or_device(database):
    node_id = node(database, cells=(CELL,), devices=NICS)
    specs = [picky(database) for _ in range(8)]
    answers = []
    assert not parallel([lambda spec=spec: answers.append(claim(database, spec, node_id)) for spec in specs])
    granted = [one.claim.hardware for one in answers if isinstance(one, claims.Claimed)]
    assert sorted(one.devices[0].address for one in granted) == [nic.address for nic in NICS], "three devices for three of eight servers"
    assert len({one.cells[0].pins for one in granted}) == 3
    refused = [one for one in answers if isinstance(one, claims.DoesNotFit)]
    assert {(one.shortages, one.reason) for one in refused} == {((), "not enough PCI devices nic beside its NUMA cells")}


def test_hardware_goes_with_its_claim(database):
    first, second = (node(database, f"host{n}", cells=(CELL,), devices=NICS) for n in range(2))
    spec = picky(database)
    claim(database, spec, first)
    known, held = hardware_of(database, spec)
    assert known == held["instance"] is not None
    assert claim(database, spec, second).claim.hardware == known, "asked again it answers the same"
    moved = replace(spec, role="migration", hardware=replace(spec.hardware, devices=()))
    claim(database, moved, second)
    assert hardware_of(database, spec)[0] == known, "it is where it was"
    database.write(claims.exchange, spec.instance_uuid, epoch=1)
    assert hardware_of(database, spec)[0].devices == ()
    assert hardware_of(database, spec)[1]["migration"] == known
    database.write(claims.release, spec.instance_uuid, epoch=1, clear_host=True)
    assert hardware_of(database, spec) == (None, {})
    assert isinstance(claim(database, picky(database), first), claims.Claimed)
