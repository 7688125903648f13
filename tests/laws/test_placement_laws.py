"""Claims and counts are exact at every moment: in a random walk with crashes and bad messages, and with many conductors at once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from novalike.clock import Clock
from novalike.conductor.engine import Engine
from novalike.conductor.manager import KINDS, owner_name
from novalike.conductor.world import World
from novalike.db import audit, quotas, server_groups, server_migrations, tasks
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.instances import InstanceRow
from novalike.db.models.tasks import TaskRow
from novalike.exception import OverQuota
from novalike.hardware.capacity import Ratios
from novalike.objects.server_group import ServerGroup
from novalike.objects.states import VmState
from novalike.scheduler.manager import SchedulerManager
from tests.factories_instances import CALLER, NOW, SMALL
from tests.laws import stories
from tests.laws.cloud import SimulatedCloud
from tests.laws.test_resize_laws import LARGE, confirm, move, revert

pytestmark = stories.CRASHES

NO_OVERCOMMIT = {"initial_cpu_allocation_ratio": 1.0}
#: What the audit may find in the middle of things; all else is wrong at every moment.
IN_FLUX = ("event", "block device", "migration", "task")


def hard_group(database: Database) -> str:
    """Make a group whose servers have to be apart."""
    wanted = ServerGroup(
        uuid="0e3c28a3-5b7e-4b0c-8d2f-2f6a1d0f7f10", name="g", project_id=CALLER.project_id, user_id=CALLER.user_id, policy="anti-affinity",
    )
    return database.write(server_groups.create, wanted, cell="cell1", now=NOW).uuid


def shared_hosts(database: Database) -> list[str]:
    """Answer the hosts on which more than one server of a group holds something."""
    query = sa.select(ComputeNodeRow.host).join(ClaimRow, ClaimRow.compute_node_id == ComputeNodeRow.id).where(
        ClaimRow.server_group.is_not(None),
    ).group_by(ComputeNodeRow.host, ClaimRow.server_group).having(sa.func.count(sa.distinct(ClaimRow.instance_uuid)) > 1)
    return database.fetch(lambda session: list(session.scalars(query)))


class BadLuck(dict):
    """Now and then a message is lost, doubled or late."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def get(self, number: int, default: Any = None) -> Any:
        return self._chance.choices([None, "lose", "double", "late"], [85, 5, 5, 5])[0]


class Walk:
    """A cloud of three small hosts in which servers come, change and go, several at a time, while things die."""

    def __init__(self, home: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.cloud = SimulatedCloud(home, hosts=3, **NO_OVERCOMMIT)
        self.cloud.wire.plan = BadLuck(self.chance)
        self.apart = hard_group(self.cloud.database)
        self.done: Counter[str] = Counter()
        self.made: list[str] = []
        self.crashes = 0

    def step(self) -> None:
        """Begin something, let a few messages through, and look."""
        self.begin()
        self.arm()
        for _ in range(self.chance.randrange(6)):
            message = self.cloud.next_message()
            if message is None:
                break
            self.cloud._guarded(message.deliver)
            self.look()
        if self.chance.random() < 0.2:
            self.rest()

    def rest(self) -> None:
        """Let everything come to its end, crashes included, and look closely."""
        plan, self.cloud.wire.plan = self.cloud.wire.plan, {}
        self.cloud.wire.release_late()
        self.cloud.settle()
        self.cloud.wire.plan = plan
        self.look_closely()

    def arm(self) -> None:
        """Let a conductor or a host die soon, perhaps."""
        for points in (self.cloud.points, self.cloud.host_points):
            if points.armed and points.crash_at is None:
                self.crashes += 1
                points.armed = False
            if not points.armed and self.chance.random() < 0.3:
                points.crash_at = len(points.passed) + self.chance.randint(1, 25)
                points.armed = True

    def begin(self) -> None:
        """Do what a user may do with one of the servers."""
        cloud, chance = self.cloud, self.chance
        servers = self.servers()
        if len(servers) < 4 or chance.random() < 0.3:
            group = {"server_group": self.apart} if chance.random() < 0.4 else {}
            self.made.append(cloud.create(flavor=chance.choice([SMALL, LARGE]), **group))
            self.done["create"] += 1
            return
        uuid, state, busy = chance.choice(servers)
        if busy or state == VmState.ERROR or chance.random() < 0.15:
            if chance.random() < 0.3:
                cloud.delete(uuid)
                self.done["delete"] += 1
        elif state == VmState.ACTIVE:
            word = chance.choice(["resize", "migrate", "resize on its host"])
            same = cloud.server(uuid).flavor
            other = LARGE if same == SMALL else SMALL
            try:
                move(cloud, uuid, flavor=same if word == "migrate" else other, stay=word == "resize on its host")
                self.done[word] += 1
            except OverQuota:
                self.done["over quota"] += 1
        elif state == VmState.RESIZED:
            word, act = chance.choice([("confirm", confirm), ("revert", revert)])
            act(cloud, uuid)
            self.done[word] += 1

    def servers(self) -> list[tuple[str, str, bool]]:
        """Answer all servers: uuid, state, and whether something works on them."""
        with self.cloud.database.read() as session:
            query = sa.select(InstanceRow.uuid, InstanceRow.vm_state, TaskRow.id).join(
                TaskRow, TaskRow.instance_uuid == InstanceRow.uuid, isouter=True,
            ).where(InstanceRow.deleted == 0).order_by(InstanceRow.id)
            return [(uuid, state, task is not None) for uuid, state, task in session.execute(query)]

    def look(self) -> None:
        """Nothing is orphaned, doubled, wrong in amount, over a host's capacity or beside its group, whatever is under way."""
        found = [one for one in audit.leftovers(self.cloud.cells, ratios=Ratios(cpu=1.0), grace=1e6) if one.kind not in IN_FLUX]
        assert not found, f"after {dict(self.done)}: {'; '.join(map(str, found))}"
        shared = shared_hosts(self.cloud.database)
        assert not shared, f"after {dict(self.done)}: two servers of the group are on {shared}"

    def look_closely(self) -> None:
        """Nothing is under way: claims are what servers are, hosts have exactly their guests, and the quota is the count."""
        self.look()
        wanted: Counter[tuple[str, str]] = Counter()
        on_hosts: set[tuple[str, str]] = set()
        cores = ram = 0
        alive = [self.cloud.server(uuid) for uuid, *_ in self.servers()]
        for server in alive:
            moved = self.cloud.database.fetch(server_migrations.awaiting, server.uuid)
            places = [(server.host, server.flavor)] if server.host else []
            places += [(moved.departure.host, moved.departure.flavor)] if moved else []
            for host, flavor in places:
                wanted.update({(host, "vcpus"): flavor.vcpus, (host, "memory"): flavor.memory_mb, (host, "disk"): flavor.root_gb})
            on_hosts |= {(host, server.uuid) for host, _ in places}
            sizes = [server.flavor, *([moved.departure.flavor] if moved else [])]
            cores, ram = cores + max(one.vcpus for one in sizes), ram + max(one.memory_mb for one in sizes)
        with self.cloud.database.read() as session:
            sums = session.execute(sa.select(
                ComputeNodeRow.host, sa.func.sum(ClaimRow.vcpus), sa.func.sum(ClaimRow.memory_mb), sa.func.sum(ClaimRow.disk_gb),
            ).join(ClaimRow, ClaimRow.compute_node_id == ComputeNodeRow.id).group_by(ComputeNodeRow.host)).all()
            usage = quotas.usage(session, CALLER.project_id)
        held = {(host, name): amount for host, *amounts in sums for name, amount in zip(("vcpus", "memory", "disk"), amounts, strict=True)}
        assert held == dict(wanted)
        assert (usage.instances, usage.cores, usage.ram) == (len(alive), cores, ram)
        there = {(name, uuid) for name, host in self.cloud.hosts.items() for uuid in self.made if host.driver.leftovers(uuid)}
        assert there == on_hosts


@pytest.mark.parametrize("seed", range(2))
def test_a_random_walk_keeps_claims_and_counts_exact(tmp_path, seed):
    walk = Walk(tmp_path, seed)
    for _ in range(30):
        walk.step()
    walk.rest()
    for uuid, *_ in walk.servers():
        walk.cloud.delete(uuid)
    walk.rest()
    assert walk.servers() == []
    assert walk.done.total() >= 15, walk.done
    assert walk.crashes, "nothing died: the walk would prove little"
    walk.cloud.close()


class Conductor(threading.Thread):
    """A conductor with a scheduler and connections of its own, which takes tasks from a list until it is empty."""

    def __init__(self, cloud: SimulatedCloud, url: str, work: list[str]) -> None:
        super().__init__()
        self.database = Database(url)
        cells = Cells.single(self.database)
        world = World(
            conf=cloud.conf, clock=Clock(), cells=cells, scheduler=SchedulerManager(cloud.conf, cells, Clock()).placing, compute=cloud.compute,
            networks=cloud.ports, images=cloud.images, vault=cloud.vault, volumes=cloud.volumes, owner=owner_name("conductor"),  # type: ignore[arg-type]
        )
        self.engine = Engine(world, KINDS)
        self.work = work

    def run(self) -> None:
        """Advance tasks."""
        while self.work:
            try:
                task = self.work.pop()
            except IndexError:
                return
            self.engine.advance(self.database, task)


def advance(cloud: SimulatedCloud, url: str) -> None:
    """Have all tasks that are due advanced by three conductors at once, each with a scheduler of its own, until hosts are at work."""
    cloud.wire.queue.clear()                     # the doorbells: each task is in the list once
    work = cloud.database.fetch(tasks.due)
    conductors = [Conductor(cloud, url, work) for _ in range(3)]
    for one in conductors:
        one.start()
    for one in conductors:
        one.join()
        one.database.dispose()


@pytest.mark.mariadb
def test_a_hard_group_is_exact_through_three_conductors_and_schedulers(tmp_path, mariadb):
    """Twice as many servers as hosts: one on each host, the others are told why not. Then some move while others are deleted."""
    url = mariadb.engine.url.render_as_string(hide_password=False)
    cloud = SimulatedCloud(tmp_path, hosts=5, url=url)
    group = hard_group(mariadb)
    made = [cloud.create(server_group=group) for _ in range(10)]
    advance(cloud, url)
    cloud.settle()
    found = [cloud.server(uuid) for uuid in made]
    assert sorted(server.host for server in found if server.vm_state == VmState.ACTIVE) == sorted(cloud.hosts)
    refused = [server.fault.message for server in found if server.vm_state == VmState.ERROR]
    assert len(refused) == 5
    assert all("1 server of its group already there" in message for message in refused), refused
    assert audit.leftovers(cloud.cells, idle=True) == ()

    active = [server for server in found if server.vm_state == VmState.ACTIVE]
    for server in active[:3]:
        cloud.delete(server.uuid)
    for server in active[3:]:
        move(cloud, server.uuid)                 # to one of the hosts whose servers are gone, if they are already
    advance(cloud, url)
    cloud.settle()
    assert shared_hosts(mariadb) == []
    assert audit.leftovers(cloud.cells, idle=True) == ()
    cloud.close()
