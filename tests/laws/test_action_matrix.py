"""Every action x every vm_state x {idle, a task runs, locked}: accepted or refused exactly as Nova does.

The table is written down here once more, from Nova's rules (not from objects/states.py, which it judges).
"""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa

from novalike.api.openstack.app import application
from novalike.db import flavors, hosts, instances, server_migrations
from novalike.db.engine import Database
from novalike.db.models.instances import InstanceRow, MigrationRow
from novalike.db.models.tasks import TaskRow
from novalike.objects.move_tasks import Departure
from novalike.objects.states import TaskState, VmState
from tests import factories
from tests.api import client
from tests.fakes import services as fakes

ALL = ["building", "active", "paused", "suspended", "stopped", "rescued", "resized", "soft-delete", "error", "shelved", "shelved_offloaded"]
SNAPSHOT = "active stopped paused suspended"
IMAGE, OTHER_IMAGE = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


@dataclass(frozen=True)
class Case:
    """One action. `states`: where it may start; `tasks`: task_states besides None (or "any"); `code`: when accepted."""

    word: str
    body: Any
    states: str
    code: int = 202
    tasks: str = ""
    lock: bool = True                            # a locked server refuses it
    admin: bool = False                          # for admins only: the lock never matters
    version: str = "2.95"
    hostless: bool = False                       # allowed without a host

    @property
    def name(self) -> str:
        return f"{self.word}-{self.body['type']}" if isinstance(self.body, dict) and "type" in self.body else self.word


CASES = (
    Case("DELETE", None, " ".join(ALL), 204, "any", hostless=True),
    Case("forceDelete", None, " ".join(ALL), 202, "any", hostless=True),
    Case("restore", None, "soft-delete"),
    Case("os-start", None, "stopped"),
    Case("os-stop", None, "active error"),
    Case("reboot", {"type": "SOFT"}, "active"),
    Case(
        "reboot", {"type": "HARD"}, "active stopped paused suspended error",
        tasks="rebooting reboot_pending reboot_started rebooting_hard resuming unpausing pausing suspending",
    ),
    Case("pause", None, "active"),
    Case("unpause", None, "paused"),
    Case("suspend", None, "active"),
    Case("resume", None, "suspended"),
    Case("rescue", {}, "active stopped error", 200),
    Case("unrescue", None, "rescued"),
    Case("rebuild", {"imageRef": IMAGE}, "active stopped error"),
    Case("resize", {"flavorRef": "2"}, "active stopped"),
    Case("migrate", None, "active stopped", admin=True),
    Case("confirmResize", None, "resized", 204),
    Case("revertResize", None, "resized"),
    Case("createImage", {"name": "s"}, SNAPSHOT, lock=False),
    Case("createBackup", {"name": "b", "backup_type": "daily", "rotation": 1}, SNAPSHOT, lock=False),
    Case("shelve", None, SNAPSHOT),
    Case("shelveOffload", None, "shelved", admin=True),
    Case("unshelve", None, "shelved shelved_offloaded", hostless=True),
    Case("changePassword", {"adminPass": "new-secret"}, "active"),
    Case("trigger_crash_dump", None, "active paused rescued resized error"),
    Case("lock", None, " ".join(ALL), tasks="any", lock=False),
    Case("unlock", None, " ".join(ALL), tasks="any", lock=False),
    Case("os-resetState", {"state": "error"}, " ".join(ALL), tasks="any", admin=True),
)
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory, sqlite_template):
    """One database for all cases: each puts the server into the state which it needs."""
    path = tmp_path_factory.mktemp("matrix") / "novalike.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def services(sqlite):
    made = fakes.services(sqlite)
    for image in (IMAGE, OTHER_IMAGE):
        made.images.add(factories.image(id=image, owner=client.PROJECT, properties={"hw_qemu_guest_agent": "yes"}))
    for number, size in (("1", 1), ("2", 2)):
        sqlite.write(
            flavors.create, factories.flavor(flavorid=number, name=f"f{number}", vcpus=1, memory_mb=512 * size, root_gb=size), now=factories.NOW,
        )
    sqlite.write(hosts.report_service, host="host-1", binary="novalike-compute", topic="compute")
    return made


@pytest.fixture(scope="module")
def app(services):
    return application(services)


@pytest.fixture(scope="module")
def uuid(app) -> str:
    """A server, which each step puts into the state it wants."""
    member = client.Client(app, client.context(), version="2.104")
    answer = member.post("/servers", {"server": {"name": "m", "flavorRef": "1", "imageRef": IMAGE, "networks": "none"}})
    assert answer.status == 202, answer.json
    return str(answer.json["server"]["id"])


def put(database: Any, uuid: str, vm_state: str, *, task_state: str | None = None, locked: bool = False, launched: bool = True) -> None:
    """Make the server be so, whatever it was."""
    nowhere = vm_state == "shelved_offloaded"
    values = {
        "vm_state": vm_state, "task_state": task_state, "locked_by": "owner" if locked else None, "epoch": InstanceRow.epoch,
        "host": None if nowhere else "host-1", "node": None if nowhere else "host-1", "deleted": 0,
        "launched_at": factories.NOW if launched else None, "action_id": None, "action_name": None, "action_wake_at": None,
    }

    def run(session: Any) -> None:
        session.execute(sa.delete(TaskRow).where(TaskRow.instance_uuid == uuid))
        session.execute(sa.delete(MigrationRow).where(MigrationRow.instance_uuid == uuid))
        row = instances.lock(session, uuid, deleted=True)
        for name, value in values.items():
            setattr(row, name, value)
        if vm_state in ("shelved", "shelved_offloaded"):
            document = dict(row.document)
            document["system_metadata"] = {**document.get("system_metadata", {}), "shelved_image_id": OTHER_IMAGE, "shelved_host": "host-1"}
            row.document = document
        session.flush()
        if vm_state == "resized":
            _resize(session, uuid)
    database.write(run)


def _resize(session: Any, uuid: str) -> None:
    """Record a resize which waits for its confirmation."""
    server = instances.get(session, uuid)
    departure = Departure(
        host="host-0", node="host-0", availability_zone=None, vm_state="active", flavor=server.flavor, auto_disk_config=True,
    )
    record = f"{uuid[:-4]}ffff"
    server_migrations.add(session, record, server, "resize", departure=departure, flavor=server.flavor, now=factories.NOW)
    session.flush()
    server_migrations.update(session, record, server_migrations.FINISHED, now=factories.NOW, dest_host="host-1", dest_node="host-1")


def ask(app: Any, uuid: str, case: Case, *, admin: bool) -> Any:
    roles = client.ADMIN if admin else client.MEMBER
    caller = client.Client(app, client.context(*roles), version=case.version)
    if case.word == "DELETE":
        return caller.delete(f"/servers/{uuid}")
    return caller.post(f"/servers/{uuid}/action", {case.word: case.body})


def allowed(case: Case, vm_state: str, task_state: str | None) -> bool:
    return vm_state in case.states.split() and (task_state is None or case.tasks == "any" or task_state in case.tasks.split())


@cases
def test_each_vm_state_idle_and_busy(app, sqlite, uuid, case):
    wrong = []
    for vm_state, task_state in itertools.product(ALL, (None, "powering-off")):
        put(sqlite, uuid, vm_state, task_state=task_state)
        answer = ask(app, uuid, case, admin=case.admin)
        expected = case.code if allowed(case, vm_state, task_state) else 409
        if answer.status != expected:
            wrong.append(f"{vm_state}/{task_state}: {answer.status}, not {expected}: {answer.json}")
    assert not wrong, "\n".join(wrong)


@cases
def test_each_task_state(app, sqlite, uuid, case):
    vm_state = case.states.split()[0]
    for task in TaskState:
        put(sqlite, uuid, vm_state, task_state=task)
        answer = ask(app, uuid, case, admin=case.admin)
        expected = case.code if allowed(case, vm_state, task) else 409
        assert answer.status == expected, f"{vm_state}/{task}: {answer.json}"


@cases
def test_a_lock_stops_all_but_admins(app, sqlite, uuid, case):
    for vm_state in case.states.split():
        put(sqlite, uuid, vm_state, locked=True)
        answer = ask(app, uuid, case, admin=case.admin)
        if case.lock and not case.admin:
            assert (answer.status, answer.fault) == (409, f"Instance {uuid} is locked"), f"{vm_state}: {answer.json}"
            answer = ask(app, uuid, case, admin=True)
        assert answer.status == case.code, f"{vm_state}: {answer.json}"


@cases
def test_a_server_which_never_ran_or_is_gone(app, sqlite, uuid, case):
    vm_state = case.states.split()[0]
    put(sqlite, uuid, vm_state, launched=False)
    expected = case.code if case.tasks == "any" else 409
    answer = ask(app, uuid, case, admin=case.admin)
    assert answer.status == expected, answer.json
    sqlite.write(lambda session: setattr(instances.lock(session, uuid, deleted=True), "deleted", 1))
    assert ask(app, uuid, case, admin=case.admin).status == 404


def test_refusals_change_nothing(app, sqlite, uuid):
    put(sqlite, uuid, "paused")
    with sqlite.read() as session:
        before = instances.get(session, uuid)
    for case in CASES:
        if "paused" not in case.states.split():
            assert ask(app, uuid, case, admin=case.admin).status == 409
    with sqlite.read() as session:
        after = instances.get(session, uuid)
        assert session.scalar(sa.select(sa.func.count()).select_from(TaskRow)) == 0
    assert replace(after, updated_at=None) == replace(before, updated_at=None)


def test_the_table_knows_every_vm_state():
    assert {*ALL, "deleted"} == {str(state) for state in VmState}
