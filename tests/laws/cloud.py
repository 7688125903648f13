"""A whole cloud without threads of its own: real database, conductor engine, scheduler, compute hosts and fake hypervisors.

Messages lie on a wire until the test delivers, loses, doubles or delays them. Conductors and hosts crash at any point where
they touch the world: every database transaction, message, port, driver call and ledger write is a point. Time passes when
the test says so.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from novalike import conf as conf_module
from novalike.clock import Clock
from novalike.compute.manager import ComputeManager
from novalike.conductor.actions import Actions
from novalike.conductor.engine import Engine
from novalike.conductor.manager import KINDS, owner_name
from novalike.conductor.reports import HostReportsEndpoint
from novalike.conductor.world import World
from novalike.context import RequestContext, service_context
from novalike.db import acceptance, action_log, block_devices, debts, deletions, instance_actions, instances, tasks
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.db.models.hosts import HostDebtRow
from novalike.db.models.instances import InstanceRow
from novalike.db.models.mappings import InstanceMapping
from novalike.db.models.tasks import TaskRow
from novalike.exception import NovalikeError
from novalike.notifications.notifier import SILENT, Notifier
from novalike.objects.block_device import BlockDevice
from novalike.objects.network_info import RequestedNetwork
from novalike.objects.tasks import ActionOrder, BuildState, Fence, Outcome
from novalike.rpc import conductor as rpc_conductor
from novalike.rpc import serializer
from novalike.rpc.compute import Lifecycle
from novalike.rpc.engine import methods
from novalike.scheduler.manager import SchedulerManager
from novalike.vault import Vault
from novalike.virt.fake.driver import FakeDriver
from novalike.virt.fake.faults import OPERATIONS, Fault
from novalike.virt.fake.hypervisor import FakeHypervisor
from novalike.volume import connections
from tests import schema
from tests.factories_instances import CALLER, NOW, instance
from tests.fakes.images import FakeImages, MemoryUpload
from tests.fakes.ports import Ports
from tests.fakes.volumes import Volumes

ROUND = 16.0          # seconds which pass in one round of settle(): a little more than the resend interval
ROUNDS = 120          # after so many rounds every deadline has passed


#: Configurations which no cloud uses any more, by their options: to read and check all options costs more than most stories.
_SPARE: dict[str, list[Any]] = {}


def _load(state_path: str, options: dict[str, Any]) -> Any:
    """Answer a configuration for this cloud alone, until it is given back to _SPARE."""
    spare = _SPARE.get(repr(sorted(options.items())))
    if not spare:
        return conf_module.load(state_path=state_path, **options)
    conf = spare.pop()
    conf.set_override("state_path", state_path)
    return conf


class Crash(SystemExit):
    """The process dies here. No handler of the code under test catches it, and a thread ends of it without a word."""


class Points:
    """Counts the points passed; crashes at one of them."""

    def __init__(self, thread: int | None = None) -> None:
        self.passed: list[str] = []
        self.crash_at: int | None = None
        self.armed = False
        self._thread = thread                    # only this thread's points count (None: everybody's)
        self._lock = threading.Lock()

    def hit(self, name: str) -> None:
        """Pass a point, or die at it."""
        if not self.armed or (self._thread is not None and threading.get_ident() != self._thread):
            return
        with self._lock:
            self.passed.append(name)
            dies = self.crash_at is not None and len(self.passed) == self.crash_at
            if dies:
                self.crash_at = None
        if dies:
            raise Crash(name)


#: What statements are compiled to, and the dialect for which: every engine would compile them anew.
_COMPILED: dict[Any, Any] = {}


@functools.cache
def _dialect() -> sa.Dialect:
    engine = sa.create_engine("sqlite://")
    with engine.connect():                       # which lets it find out what it can do
        pass
    engine.dispose()
    return engine.dialect


class CrashingDatabase(Database):
    """A database whose transactions are points: before, and after the commit."""

    def __init__(self, url: str, points: Points) -> None:
        super().__init__(url)
        self.points = points
        for engine in (self._writer, self._reader) if url.startswith("sqlite") else ():
            engine.dialect = _dialect()
            engine.update_execution_options(compiled_cache=_COMPILED)

    def write(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        name = getattr(function, "__qualname__", "?")
        self.points.hit(f"before {name}")
        answer = super().write(function, *args, **kwargs)
        self.points.hit(f"after {name}")
        return answer


@dataclass
class Message:
    """A cast on its way."""

    to: str
    name: str
    deliver: Callable[[], None]


@dataclass
class Wire:
    """Casts in order. `plan` says what happens to the n-th (from 0): lose, double or late."""

    plan: dict[int, str] = field(default_factory=dict)
    queue: list[Message] = field(default_factory=list)
    late: list[Message] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, message: Message) -> None:
        """Take a message."""
        with self.lock:
            fate = self.plan.get(len(self.sent))
            self.sent.append(f"{message.name} to {message.to}")
            if fate == "late":
                self.late.append(message)
            elif fate != "lose":
                self.queue.extend([message] * (2 if fate == "double" else 1))

    def take(self) -> Message | None:
        """Answer the next message to deliver."""
        with self.lock:
            return self.queue.pop(0) if self.queue else None

    def release_late(self) -> None:
        """What was delayed arrives after all."""
        with self.lock:
            self.queue.extend(self.late)
            self.late = []


class Mail:
    """A client of an interface whose casts go to the wire and whose calls go straight through. JSON both ways.

    `point` is passed before and after each cast; `muted()` drops what a process sends that is dead already.
    """

    def __init__(
        self, wire: Wire, interface: type, to: str, endpoint: Callable[[], Any], point: Callable[[str], None],
        muted: Callable[[], bool] = lambda: False,
    ) -> None:
        for name, method in methods(interface).items():
            send = self._call if method.waits else self._cast
            setattr(self, name, functools.partial(send, name, serializer.signature(getattr(interface, name))))
        self._wire, self._to, self._endpoint, self._point, self._muted = wire, to, endpoint, point, muted

    def _call(self, name: str, signature: serializer.Signature, ctxt: RequestContext, **arguments: Any) -> Any:
        answer = getattr(self._endpoint(), name)(ctxt, **signature.load(signature.dump(arguments)))
        return signature.load_answer(signature.dump_answer(answer))

    def _cast(self, name: str, signature: serializer.Signature, ctxt: RequestContext, **arguments: Any) -> None:
        wired = signature.dump(arguments)
        self._point(f"before sending {name}")
        if not self._muted():
            self._wire.post(Message(self._to, name, lambda: getattr(self._endpoint(), name)(ctxt, **signature.load(wired))))
        self._point(f"after sending {name}")


class CrashingDriver:
    """A fake driver whose calls are points."""

    def __init__(self, driver: FakeDriver, point: Callable[[str], None]) -> None:
        self._driver = driver
        self._point = point

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._driver, name)
        if name not in OPERATIONS:
            return found

        def passed(*args: Any, **kwargs: Any) -> Any:
            self._point(f"before {name}")
            answer = found(*args, **kwargs)
            self._point(f"after {name}")
            return answer
        return passed


class Host:
    """One compute host: its hypervisor and ledger outlive the daemon."""

    def __init__(self, cloud: SimulatedCloud, name: str, home: Path, **options: Any) -> None:
        self.cloud = cloud
        self.name = name
        self.home = home
        self.hypervisor = FakeHypervisor()
        self.options = {"host": name, "my_ip": "127.0.0.1", **options}
        self.conf = _load(str(home), self.options)
        self.generation = 0
        self.dead = False
        self.faults: list[Fault] = []            # they lie in the hypervisor: a restart does not heal it
        self.start()

    def start(self) -> None:
        """Start the daemon, as after a crash or for the first time."""
        self.generation += 1
        generation, self.dead = self.generation, False

        def muted() -> bool:
            return self.dead or generation != self.generation

        def point(name: str) -> None:
            if not muted():
                try:
                    self.cloud.host_points.hit(f"{name} on a host")
                except Crash:
                    self.dead = True
                    raise

        self.driver = FakeDriver(self.conf, hypervisor=self.hypervisor)
        self.driver.download = self.cloud.images.fetch
        for fault in self.faults:
            self.driver.order_fault(fault)
        self.manager = ComputeManager(
            self.conf, Clock(), CrashingDriver(self.driver, point),
            Mail(self.cloud.wire, rpc_conductor.Tasks, "conductor", lambda: self.cloud, point, muted),
            Mail(self.cloud.wire, rpc_conductor.HostReports, "conductor", lambda: self.cloud.reports, point, muted),
            str(self.home), uploads=lambda target: MemoryUpload(self.cloud.images, target, point),
        )
        self.manager.start()
        self.manager._introduction.join(30)

    def endpoint(self, interface: type) -> Any:
        """Answer the endpoint which serves an interface."""
        return next(e for e in self.manager.endpoints if isinstance(e, interface))

    def break_down(self, fault: Fault) -> None:
        """Make the hypervisor fail."""
        self.faults.append(fault)
        self.driver.order_fault(fault)

    def beat(self) -> None:
        """Send a heartbeat now."""
        next(p for p in self.manager.periodics if p.name == "heartbeat").function()

    def settle(self) -> None:
        """Wait until no order runs and all reports are on the wire; start the daemon again if it died meanwhile."""
        while not self.dead and not (self.manager.host.orders.wait(0.05) and self.manager._reporter.idle(0.05)):
            pass
        if self.dead:
            self.restart()

    def restart(self) -> None:
        """Kill the daemon and start it again; guests go on."""
        self.dead = True
        self.manager._ledger.close()
        self.start()
        self.settle()


@functools.cache
def _template() -> Path:
    """An empty database with all tables, made once: copying it is much faster than making it."""
    path = Path(tempfile.mkdtemp(prefix="novalike-laws-")) / "template.db"
    atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
    database = Database(f"sqlite:///{path}")
    schema.create(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path


class SimulatedCloud:
    """Conductor, scheduler and hosts over one SQLite file, or over an empty database of a real server."""

    def __init__(
        self, home: Path, hosts: int = 2, *, notifier: Notifier = SILENT, url: str | None = None,
        host_options: dict[str, Any] | None = None, **options: Any,
    ) -> None:
        self.notifier = notifier
        self.points = Points(threading.get_ident())
        self.host_points = Points()
        self.wire = Wire()
        if url is None:
            shutil.copy(_template(), home / "cloud.db")
        self.database = CrashingDatabase(url or f"sqlite:///{home}/cloud.db", self.points)
        self.cells = Cells.single(self.database)
        self.options = options
        self.conf = _load(str(home), options)
        self.ports = Ports(self.points.hit)
        self.volumes = Volumes(point=self.points.hit)
        self.scheduler = next(iter(SchedulerManager(self.conf, self.cells, Clock()).endpoints))
        self.vault = Vault(b"k" * 32)
        self.images = FakeImages(point=self.points.hit)
        self.hosts: dict[str, Host] = {}
        self.start_conductor()
        for number in range(hosts):
            name = f"host{number}"
            has = {"fake__vcpus": 4, "fake__memory_mb": 8192, "fake__local_gb": 100, **(host_options or {})}
            self.hosts[name] = Host(self, name, home / name, **has)
        self.deliver()
        self.first_message = len(self.wire.sent)     # what came before was only the hosts' hello

    def close(self) -> None:
        """Let go of threads and files."""
        for host in self.hosts.values():
            host.manager.stop()
        self.database.dispose()
        for owner in (self, *self.hosts.values()):
            spare = _SPARE.setdefault(repr(sorted(owner.options.items())), [])
            if not any(conf is owner.conf for conf in spare):
                spare.append(owner.conf)

    # -- the conductor

    def start_conductor(self) -> None:
        """Start a conductor; one that crashed is simply forgotten."""
        self.world = World(
            conf=self.conf, clock=Clock(), cells=self.cells, scheduler=self, compute=self.compute, networks=self.ports, images=self.images,  # type: ignore[arg-type]
            vault=self.vault, volumes=self.volumes, owner=owner_name("conductor"), notifier=self.notifier,
        )
        self.engine = Engine(self.world, KINDS)
        self.actions = Actions(self.world, self.database)
        self.reports = HostReportsEndpoint(self.world, self.database, self.actions)

    def select_host(self, ctxt: RequestContext, *, spec: Any) -> Any:
        """The conductor's call to the scheduler is a point too."""
        self.points.hit("before select_host")
        placement = self.scheduler.select_host(ctxt, spec=spec)
        self.points.hit("after select_host")
        return placement

    def check_rebuild(self, ctxt: RequestContext, *, spec: Any) -> None:
        """So is this call."""
        self.points.hit("before check_rebuild")
        self.scheduler.check_rebuild(ctxt, spec=spec)
        self.points.hit("after check_rebuild")

    def compute(self, interface: type, host: str) -> Any:
        """Answer a client of a host's interface."""
        return Mail(self.wire, interface, host, lambda: self.hosts[host].endpoint(interface), self.points.hit)

    def wake(self, ctxt: RequestContext, *, task_ids: list[str]) -> None:
        """Serve Tasks.wake at once."""
        for task_id in task_ids:
            self.engine.advance(self.database, task_id)

    def report(self, ctxt: RequestContext, *, outcome: Outcome) -> None:
        """Serve Tasks.report at once."""
        if outcome.fence.operation_id.startswith("debt:"):
            if outcome.error is None or outcome.stale:
                self.database.write(debts.pay, outcome.fence)
            return
        self.engine.report(self.database, outcome)

    # -- what a user does

    def create(self, *, ports: int = 1, **values: Any) -> str:
        """Accept a server as the API does; answer its uuid. The doorbell is on the wire."""
        made = instance(**values)
        accepted = Database.write                # the API's own transactions: no point of the conductor
        accepted(
            self.database, mappings_take, made.uuid, made.flavor.vcpus, made.flavor.memory_mb,
        )

        def accept(session: Any) -> str:
            instances.create(session, [made])
            action_log.start(session, "create", made.uuid, CALLER, NOW)
            return tasks.add(
                session, kind="build", instance_uuid=made.uuid, epoch=1, step="place", caller=CALLER, now=NOW,
                state=BuildState(requested_networks=(RequestedNetwork(network_id="net"),) * ports),
            )
        self.ring(accepted(self.database, accept))
        return made.uuid

    def begin(self, uuid: str, operation: str, *, kind: str, state: Any) -> None:
        """Accept a durable operation as the API does."""
        self.ring(Database.write(
            self.database, acceptance.begin_task, self.server(uuid), operation, kind=kind, state=state, caller=CALLER, now=NOW,
        ))

    def delete(self, uuid: str) -> None:
        """Accept a delete as the API does."""
        self.ring(Database.write(self.database, deletions.begin, uuid, CALLER, now=NOW))

    def act(self, uuid: str, action: str) -> None:
        """Accept a single-host action as the API does, and put its order on the wire."""
        server = self.server(uuid)
        self.order(server, action, Database.write(self.database, instance_actions.begin, server, action, CALLER, now=NOW))

    def order(self, server: Any, action: str, fence: Fence) -> None:
        """Put the order of an accepted single-host action on the wire."""
        disks = connections.complete(self.volumes, CALLER, self.disks(server.uuid))
        order = ActionOrder(fence=fence, action=action, instance=server, vifs=server.network_info, block_devices=disks)
        mail = Mail(self.wire, Lifecycle, server.host, lambda: self.hosts[server.host].endpoint(Lifecycle), lambda name: None)
        mail.act(service_context(), order=order)

    def change_devices(self, request: Callable[..., Any], uuid: str, *arguments: Any) -> None:
        """Accept one of db/device_requests.py as the API does."""
        accepted = Database.write(self.database, request, self.server(uuid), *arguments, CALLER, now=NOW)
        self.ring(accepted[0] if isinstance(accepted, tuple) else accepted)

    def disks(self, uuid: str) -> tuple[BlockDevice, ...]:
        """Answer a server's block devices as they are stored."""
        return self.database.fetch(block_devices.of_instance, uuid)

    def ring(self, task_id: str) -> None:
        """Put a doorbell on the wire."""
        self.wire.post(Message("conductor", "wake", lambda: self.wake(service_context(), task_ids=[task_id])))

    # -- how it goes on

    def next_message(self) -> Message | None:
        """Answer the next message to deliver; when there is none, what hosts which were at work send."""
        if not self.wire.queue:
            for host in self.hosts.values():
                host.settle()
        return self.wire.take()

    def deliver(self) -> None:
        """Deliver messages until none is left and hosts are idle; a crash kills the conductor and starts another one."""
        while True:
            message = self.wire.take()
            if message is None:
                for host in self.hosts.values():
                    host.settle()
                if not self.wire.queue:
                    return
                continue
            self._guarded(message.deliver)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Crash:
            if not any(host.dead for host in self.hosts.values()):     # those start again when they settle
                self.start_conductor()
        except NovalikeError:
            pass                                  # a cast's error is logged where it is served

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass for leases, deadlines and resends, by moving all stamps back."""
        by = int(seconds * 1000)

        def shift(session: Any) -> None:
            for table, names in (
                (TaskRow, ("wake_at", "deadline", "lease_until", "step_since")),
                (InstanceRow, ("action_wake_at", "action_deadline")), (HostDebtRow, ("wake_at",)),
            ):
                for name in names:
                    column = getattr(table, name)
                    session.execute(sa.update(table).where(column.is_not(None)).values({name: column - by}))
        Database.write(self.database, shift)

    def settle(self) -> None:
        """Let messages flow, time pass and sweeps run until no operation is left."""
        for number in range(ROUNDS):
            self.deliver()
            if number == 3:
                self.wire.release_late()
                self.deliver()
            if not self.busy() and not self.wire.late:
                return
            self.pass_time(ROUND)
            self.sweep()
        raise AssertionError(f"stuck: {self.busy()}")

    def sweep(self) -> None:
        """What a conductor does every few seconds."""
        for task_id in self.database.fetch(tasks.due):
            self._guarded(lambda task_id=task_id: self.engine.advance(self.database, task_id))
        self._guarded(self.actions.sweep)
        self._guarded(self.reports.ask_for_debts)
        for host in self.hosts.values():
            self._guarded(host.beat)
        self.deliver()
        self._guarded(self.reports.flush)

    def busy(self) -> list[str]:
        """Answer what is under way: tasks, actions and debts."""
        with self.database.read() as session:
            names = [f"task {kind} at {step}" for kind, step in session.execute(sa.select(TaskRow.kind, TaskRow.step))]
            names += [f"action {name}" for name in session.scalars(sa.select(InstanceRow.action_name).where(InstanceRow.action_name.is_not(None)))]
            names += [f"debt of {host}" for host in session.scalars(sa.select(HostDebtRow.host))]
        return names

    def server(self, uuid: str) -> Any:
        """Answer an instance as it is now, deleted or not."""
        with self.database.read() as session:
            return instances.get(session, uuid, deleted=True)


def mappings_take(session: Any, uuid: str, cores: int, ram: int) -> None:
    """Insert the quota row which the API would."""
    session.add(InstanceMapping(
        uuid=uuid, cell="cell1", project_id=CALLER.project_id, user_id=CALLER.user_id, cores=cores, ram=ram, confirmed=1, created_at=0,
    ))

