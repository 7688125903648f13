"""What reading the Compute API costs, on MariaDB: with 1000 servers in a project, and again beside 100,000 of other projects.

The servers are rows only: nothing runs, and nothing but the API and the database works while it is measured. CPU is that of
the API's process and of MariaDB, counted by the kernel; queries are counted by MariaDB; what both do when idle is taken off.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from devstack.accounting import Meter, percentile
from devstack.load import Cloud, Session
from devstack.progress import step
from novalike.db import block_devices, flavors, instances
from novalike.db.engine import Database
from novalike.db.models.instances import BlockDeviceRow, InstanceRow
from novalike.objects.block_device import BlockDevice
from novalike.objects.flavor import Flavor
from novalike.objects.instance import Instance
from novalike.objects.network_info import FixedIp, Subnet, Vif

SERVERS, OTHERS, FLAVORS = 1000, 100_000, 20
CLIENTS = (1, 8)
IDLE_SECONDS = 5.0
BATCH = 200
#: CPU ms of Nova on a like machine for one request, and what share of that is aimed at (the issue's numbers).
NOVA = {"GET one server": (38, 1 / 20), "list 1000": (1100, 1 / 20), "flavors in detail": (8, 1 / 4)}
_NOW = datetime.fromisoformat("2026-01-02T03:04:05")


@dataclass(frozen=True, kw_only=True)
class Work:
    """One kind of request: how often it is sent by one client, and the status it must have."""

    name: str
    count: int
    request: Callable[[], tuple[str, str, Any]]
    status: int = 200


@dataclass(kw_only=True)
class Row:
    """What one kind of request cost: requests a second, milliseconds, CPU milliseconds and queries for each."""

    rate: float
    p50: float
    p95: float
    cpu: dict[str, float] = field(default_factory=dict)
    queries: float = 0.0


class ApiBench:
    """The measurements of one cloud."""

    def __init__(self, cloud: Cloud, database: Database, pids: Mapping[str, int]) -> None:
        self._cloud, self._database = cloud, database
        self._meter = Meter({name: pid for name, pid in pids.items() if name in {"api", "mariadb"}})
        self._asked_idle = 0.0                   # queries a second by others
        self._uuids: list[str] = []

    def fill(self) -> None:
        """Store the project's servers and flavors."""
        project = self._cloud.client.ask("GET", "identity", "/projects?name=admin")["projects"][0]["id"]
        with step(f"{SERVERS} servers"):
            for start in range(0, SERVERS, BATCH):
                batch = [_server(project, number) for number in range(start, start + BATCH)]
                self._database.write(_store, batch)
                self._uuids += [server.uuid for server in batch]
            for number in range(FLAVORS):
                self._database.write(flavors.create, _flavor(number), now=_NOW)

    def crowd(self) -> None:
        """Store servers of other projects: copies, made by the database itself."""
        with step(f"{OTHERS} servers of other projects"):
            for number in range(OTHERS // SERVERS):
                self._database.write(_copy, f"other-{number}", self._uuids)

    def run(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Answer the rows: by kind of request, then by number of clients."""
        self._idle()
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for work in self._works():
            with step(work.name):
                self._ask(work, 1, [])           # caches of plans and pages are warm
                found[work.name] = {str(clients): vars(self._measure(work, clients)) for clients in CLIENTS}
        return found

    def _works(self) -> Iterator[Work]:
        uuids = itertools.cycle(self._uuids)
        yield Work(name="GET one server", count=400, request=lambda: ("GET", f"/servers/{next(uuids)}", None))
        yield Work(name="list 1000", count=24, request=lambda: ("GET", "/servers?limit=1000", None))
        yield Work(name="list 1000 in detail", count=16, request=lambda: ("GET", "/servers/detail?limit=1000", None))
        yield Work(name="flavors in detail", count=200, request=lambda: ("GET", "/flavors/detail", None))
        yield Work(name="a POST that is refused", count=300, request=lambda: ("POST", "/servers", {"server": {"name": ""}}), status=400)

    def _idle(self) -> None:
        with step("idle"):
            self._meter.idle = {}
            self._meter.start()
            before = self._asked()
            time.sleep(IDLE_SECONDS)
            self._meter.idle = {name: used / IDLE_SECONDS for name, used in self._meter.used(IDLE_SECONDS).items()}
            self._asked_idle = (self._asked() - before) / IDLE_SECONDS

    def _measure(self, work: Work, clients: int) -> Row:
        times: list[float] = []
        asked = self._asked()
        self._meter.start()
        begun = time.monotonic()
        self._ask(work, clients, times, work.count)
        seconds = time.monotonic() - begun
        used = self._meter.used(seconds)
        queries = self._asked() - asked - self._asked_idle * seconds
        return Row(
            rate=len(times) / seconds, p50=percentile(times, 0.5) * 1000, p95=percentile(times, 0.95) * 1000,
            cpu={name: one / len(times) * 1000 for name, one in used.items()}, queries=max(0.0, queries / len(times)),
        )

    def _ask(self, work: Work, clients: int, times: list[float], count: int = 3) -> None:
        def some(session: Session) -> None:
            for _ in range(count // clients):
                method, path, body = work.request()
                begun = time.monotonic()
                status, _answer = session.send(method, path, body)
                times.append(time.monotonic() - begun)
                if status != work.status:
                    raise RuntimeError(f"{work.name}: {status} where {work.status} should be")
        sessions = [Session(self._cloud.client) for _ in range(clients)]
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(some, sessions))

    def _asked(self) -> int:
        """Answer how many statements MariaDB has run, this question left out."""
        with self._database.read() as session:
            answer = session.execute(sa.text("SHOW GLOBAL STATUS LIKE 'Questions'")).one()
        return int(answer[1])


def _store(session: Any, servers: list[Instance]) -> None:
    for stored in instances.create(session, servers):
        volume = BlockDevice(
            uuid=str(uuid.uuid4()), source_type="volume", destination_type="volume", volume_id=str(uuid.uuid4()), device_name="/dev/vdb",
        )
        block_devices.create(session, stored.uuid, [volume], now=_NOW)


def _copy(session: Any, project: str, uuids: list[str]) -> None:
    """Copy all servers of the first project, with their disks, into another project."""
    for model, changed in ((InstanceRow, {"uuid": sa.func.uuid(), "project_id": sa.literal(project)}), (BlockDeviceRow, {
        "uuid": sa.func.uuid(), "instance_uuid": sa.func.uuid(), "volume_id": sa.func.uuid(),
    })):
        table = cast("sa.Table", model.__table__)
        names = [column.name for column in table.c if column.name != "id"]
        own = table.c.uuid if model is InstanceRow else table.c.instance_uuid
        rows = sa.select(*(changed.get(name, table.c[name]) for name in names)).where(own.in_(uuids))
        session.execute(sa.insert(table).from_select(names, rows))


def _flavor(number: int) -> Flavor:
    return Flavor(
        flavorid=f"api-{number}", name=f"api.{number}", vcpus=2, memory_mb=2048, root_gb=20,
        extra_specs={"hw:cpu_policy": "shared", "quota:vif_inbound_average": "1000"},
    )


def _server(project: str, number: int) -> Instance:
    own = str(uuid.uuid4())
    return Instance(
        id=0, uuid=own, project_id=project, user_id="bench", display_name=f"server-{number}", hostname=f"server-{number}",
        vm_state="active", power_state=1, host="compute1", node="compute1", availability_zone="nova", flavor=_flavor(0),
        image_ref=str(uuid.uuid4()), image_properties={"hw_disk_bus": "virtio", "os_type": "linux"}, key_name="mine",
        reservation_id="r-benchmrk", metadata={f"key{n}": f"value {n} of {number}" for n in range(5)}, tags=("web", "blue", "tier-1"),
        root_device_name="/dev/vda", root_gb=20, network_info=tuple(_vif(number, nic) for nic in range(2)),
        created_at=_NOW + timedelta(seconds=number), updated_at=_NOW, launched_at=_NOW,
    )


def _vif(number: int, nic: int) -> Vif:
    subnet = f"subnet-{nic}"
    return Vif(
        port_id=str(uuid.uuid4()), network_id=f"network-{nic}", label=("private", "storage")[nic], mac=f"fa:16:3e:{nic:02x}:{number // 256:02x}:{number % 256:02x}",
        bridge=f"br{nic}", tap=f"tap{number}-{nic}", fixed_ips=(FixedIp(address=f"10.{nic}.{number // 250}.{number % 250 + 2}", subnet_id=subnet),),
        subnets=(Subnet(id=subnet, cidr=f"10.{nic}.0.0/16", gateway=f"10.{nic}.0.1"),), nic=nic,
    )


def measure(cloud: Cloud, database_url: str, pids: Mapping[str, int]) -> dict[str, Any]:
    """Answer what every kind of request costs, alone and beside the servers of other projects."""
    database = Database(database_url)
    try:
        bench = ApiBench(cloud, database, pids)
        bench.fill()
        alone = bench.run()
        bench.crowd()
        return {"servers": SERVERS, "others": OTHERS, "alone": alone, "crowded": bench.run()}
    finally:
        database.dispose()


def show(measured: Mapping[str, Any]) -> None:
    """Print one row for each kind of request and number of clients."""
    table = Table(title=f"Compute API on MariaDB: {measured['servers']} servers in the project", title_justify="left")
    table.add_column("request")
    for name in ("clients", "per s", "p50 ms", "p95 ms", "CPU ms", "of it API", "MariaDB", "queries", f"CPU beside {measured['others']}", "ratio",
                 "Nova CPU ms", "aim"):
        table.add_column(name, justify="right")
    for work, rows in measured["alone"].items():
        for clients, row in rows.items():
            beside = measured["crowded"][work][clients]
            cpu, crowded = sum(row["cpu"].values()), sum(beside["cpu"].values())
            nova, share = NOVA.get(work, (0, 0.0))
            table.add_row(
                work if clients == "1" else "", clients, f"{row['rate']:.0f}", f"{row['p50']:.1f}", f"{row['p95']:.1f}", f"[bold]{cpu:.2f}[/]",
                f"{row['cpu'].get('api', 0):.2f}", f"{row['cpu'].get('mariadb', 0):.2f}", f"{row['queries']:.1f}", f"{crowded:.2f}",
                f"{crowded / cpu:.2f}" if cpu else "", str(nova or ""), f"{nova * share:.1f}" if nova else "",
            )
    Console(width=180).print(table)
