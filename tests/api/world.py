"""A small cloud for calls: at least one of each thing, in the caller's project and in another one.

Nothing works behind it: hosts are a FakeCompute which says what `answers` holds. `restore` makes everything as it was, in a
millisecond, so that each call finds the same world.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from contextlib import closing
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.api.openstack.app import application
from novalike.clock import ManualClock
from novalike.context import RequestContext
from novalike.db import (
    action_log,
    aggregates,
    block_devices,
    console_tokens,
    flavors,
    hosts,
    instances,
    keypairs,
    server_groups,
)
from novalike.db.engine import Database
from novalike.db.models.instances import MigrationRow
from novalike.db.models.mappings import InstanceMapping
from novalike.db.models.projects import ServerGroupMemberRow
from novalike.db.models.tasks import TaskRow
from novalike.objects.block_device import BlockDevice
from novalike.objects.console import ConsoleAddress
from novalike.objects.device_tasks import ATTACH_INTERFACE
from novalike.objects.diagnostics import CpuDiagnostics, Diagnostics, DiskDiagnostics, NicDiagnostics
from novalike.objects.flavor import Flavor
from novalike.objects.floating import FloatingAddress
from novalike.objects.host import HostUsage
from novalike.objects.instance import Instance
from novalike.objects.keypair import Keypair
from novalike.objects.move_tasks import Departure
from novalike.objects.network import SecurityGroup, SecurityGroupRule
from novalike.objects.network_info import Vif
from novalike.objects.secret import Secret
from novalike.objects.server_group import ServerGroup
from novalike.objects.tasks import Caller
from novalike.objects.volume import Volume
from novalike.rpc import serializer
from tests import factories, schema
from tests.api.client import ADMIN, PROJECT, USER, Client
from tests.factories_hosts import inventory
from tests.fakes import services as fakes
from tests.fakes.volumes import Volumes

OTHER_PROJECT, OTHER_USER, SERVICE_USER = "0ther", "other-user", "nova"
IMAGE, OTHER_IMAGE, SNAPSHOT = (f"{n * 8}-1111-4111-8111-111111111111" for n in "123")
HOST, EMPTY_HOST, DEAD_HOST = "host-1", "host-2", "host-3"
REQUEST_ID = "req-00000000-0000-4000-8000-0000000000aa"
TOKEN = "70c3e000-0000-4000-8000-000000000001"
NETWORK, PORT = "e70c3e00-0000-4000-8000-000000000001", "e70c3e00-0000-4000-8000-0000000000ff"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHwZ4GBKsFkGlkDZPQ9r3xZ0iCyZ1xVX1TZtQ3m8LrCq"


def identify(name: str) -> str:
    """Answer the uuid of the thing with this name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


#: Longer than any run of tests, in seconds: hosts report only once.
_FOREVER = 10**6
#: Every hint that answers may show.
HINTS = {
    "group": identify("group"), "different_host": [], "same_host": [], "query": "[]", "target_cell": "a", "different_cell": [],
    "build_near_host_ip": "10.0.0.1", "cidr": "/24",
}
#: Servers by name -> what they are besides the defaults; those of `foreign` belong to the other project.
STATES: dict[str, dict[str, Any]] = {
    "active": {},
    "foreign": {"project_id": OTHER_PROJECT, "user_id": OTHER_USER},
    **{name: {"vm_state": name} for name in ("paused", "suspended", "stopped", "rescued", "resized", "soft-delete", "shelved")},
    "shelved_offloaded": {"vm_state": "shelved_offloaded", "host": None, "node": None, "availability_zone": None},
    "error": {"vm_state": "error"},
    "locked": {"locked_by": "owner", "locked_reason": "mine"},
    "on a dead host": {"host": DEAD_HOST, "node": f"{DEAD_HOST}.example.org"},
}


class Networks(fakes.FakeNetworks):
    """One network, which everybody may use; ports are those which servers were made with."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.owners[NETWORK] = None
        self.security_groups = self.groups_of  # type: ignore[assignment]
        self._database = database

    def info(self, caller: Any, instance_uuid: str) -> tuple[Any, ...]:
        return self._database.fetch(instances.network_info, instance_uuid)

    def validate(self, ctxt: Any, requested: Any, *, count: int, security_groups: tuple[str, ...] = ()) -> Any:
        return super().validate(ctxt, requested, count=count)

    @property
    def known(self) -> dict[str, SecurityGroup]:  # type: ignore[override]
        return {group.id: group for group in self.groups_of(Caller(user_id=USER, project_id=PROJECT, request_id=REQUEST_ID), "")}

    @known.setter
    def known(self, value: dict[str, SecurityGroup]) -> None:
        """Groups stay as they are: every caller finds the same ones."""

    def _all(self) -> dict[str, tuple[str | None, FloatingAddress]]:
        """Two addresses, which stay as they are: one leads nowhere, one to a server."""
        free = FloatingAddress(id=identify("floating ip"), address="203.0.113.7", pool="public")
        held = FloatingAddress(
            id=identify("held floating ip"), address="203.0.113.9", pool="public", fixed_address="10.0.0.5", port_id=PORT, server=identify("active"),
        )
        return {floating.id: (PROJECT, floating) for floating in (free, held)}

    def allocate_floating(self, ctxt: Any, network_id: str) -> FloatingAddress:
        return replace(self.floating_ip(ctxt, identify("held floating ip")), id=identify("new floating ip"))

    def groups_of(self, caller: Any, instance_uuid: str) -> tuple[SecurityGroup, ...]:
        """One group, with a rule of either kind of source."""
        group, project = identify("security group"), caller.project_id
        rules = tuple(SecurityGroupRule(
            id=identify(f"rule {number}"), security_group_id=group, project_id=project, direction="ingress", protocol="tcp", **source,
        ) for number, source in enumerate(({"remote_group_id": group}, {"remote_ip_prefix": "10.0.0.0/8"})))
        return (SecurityGroup(id=group, project_id=project, name="default", rules=rules),)

    def groups_by_id(self, caller: Any, group_ids: Any) -> dict[str, SecurityGroup]:
        return {key: group for key, group in self.known.items() if key in group_ids}

    def add_security_group(self, caller: Any, instance_uuid: str, group: str) -> None:
        """Fine: security_groups does not tell."""

    remove_security_group = add_security_group


class ServicedVolumes(Volumes):
    """Volumes which other services see, too."""

    def get(self, ctxt: Any, volume_id: str) -> Volume:
        return super().get(replace(ctxt, is_admin=True) if "service" in ctxt.roles else ctxt, volume_id)


class Doorbell(fakes.RecordingDoorbell):
    """Keeps what would have been sent; but brings the interfaces at once whose callers wait for them."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def ring(self, ctxt: Any, task_ids: list[str]) -> None:
        super().ring(ctxt, task_ids)
        for task_id in task_ids:
            self._database.write(self._bring, task_id)

    def _bring(self, session: Session, task_id: str) -> None:
        task = session.get(TaskRow, task_id)
        if task is not None and task.kind == ATTACH_INTERFACE:
            row = instances.lock(session, str(task.instance_uuid))
            new = factories.vif("10.0.0.6", port_id=identify("new port"), network_id=NETWORK, nic=task.state["nic"])
            row.network_info = [*row.network_info, serializer.dump(Vif, new)]
            session.delete(task)


class World:
    """The cloud in a database with all tables (and nothing in it), and the Compute API before it."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.volumes = ServicedVolumes()
        # The database's own clock says which host lives: the API's agrees with it.
        clock = ManualClock(time.time())
        self.services = replace(
            fakes.services(database, clock=clock, quota__instances=-1, service_down_time=_FOREVER, **options), volumes=self.volumes,
            networks=Networks(database), doorbell=Doorbell(database),  # type: ignore[arg-type]
        )
        for image in (IMAGE, OTHER_IMAGE, SNAPSHOT):
            self.services.images.add(factories.image(id=image, owner=PROJECT, properties={
                "hw_qemu_guest_agent": "yes", "auto_disk_config": "true",
            }))  # type: ignore[attr-defined]
        self.services.compute.answers["console"] = ConsoleAddress(  # type: ignore[attr-defined]
            host="127.0.0.1", port=5900, access_url_base="http://127.0.0.1:6080/vnc_auto.html",
        )
        self.services.compute.answers["diagnostics"] = Diagnostics(  # type: ignore[attr-defined]
            state="running", driver="fake", cpus=(CpuDiagnostics(id=0),), nics=(NicDiagnostics(),), disks=(DiskDiagnostics(),),
            free_form={"cpu0_time": 1},
        )
        self.volume, self.free_volume = (self.volumes.make(project_id=PROJECT) for _ in range(2))
        self.aggregate_id = self.empty_aggregate_id = 0
        self.service_ids: dict[str, str] = {}
        self.live_migration_id = 0
        database.write(self._fill)
        self._own = self._copied()
        database.write(self._give_away)
        self._foreign = self._copied()
        self._load(self._own)
        self._volumes = (dict(self.volumes.volumes), dict(self.volumes.attachments))
        self._images = dict(self.services.images.images)  # type: ignore[attr-defined]
        self.app = application(self.services)

    def restore(self, *, foreign: bool = False) -> None:
        """Make everything as it was; or as if all had been the other project's from the beginning."""
        self._load(self._foreign if foreign else self._own)
        self.volumes.volumes, self.volumes.attachments = dict(self._volumes[0]), dict(self._volumes[1])
        self.services.images.images = dict(self._images)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Let go of the database."""
        self._own.close()
        self._foreign.close()
        self.database.dispose()

    def client(self, context: RequestContext | None, version: str) -> Client:
        """Answer somebody who calls the API."""
        return Client(self.app, context, version=version)

    @property
    def admin(self) -> Client:
        return self.client(RequestContext(user_id=USER, project_id=PROJECT, roles=ADMIN, is_admin=True), "2.104")

    def _copied(self) -> sqlite3.Connection:
        copy = sqlite3.connect(":memory:")
        with closing(self.database.engine.raw_connection()) as connection:
            connection.driver_connection.backup(copy)
        return copy

    def _load(self, copy: sqlite3.Connection) -> None:
        with closing(self.database.engine.raw_connection()) as connection:
            copy.backup(connection.driver_connection)

    @staticmethod
    def _give_away(session: Session) -> None:
        for table in schema.tables():
            if "project_id" in table.c and table.name != "flavor_access":
                session.execute(sa.update(table).values(project_id=OTHER_PROJECT))

    # --- what there is

    def _fill(self, session: Session) -> None:
        self._hosts(session)
        self._flavors(session)
        for project, user, name in ((PROJECT, USER, "group"), (OTHER_PROJECT, OTHER_USER, "foreign group")):
            server_groups.create(session, ServerGroup(
                uuid=identify(name), name=name, project_id=project, user_id=user, policy="anti-affinity", rules={"max_server_per_host": 2},
            ), cell="cell1", now=factories.NOW)
        for user in (USER, OTHER_USER, SERVICE_USER):
            keypairs.create(
                session, Keypair(user_id=user, name="key", public_key=KEY, fingerprint="aa:bb"), limit=100, now=factories.NOW,
            )
        made = instances.create(session, [_server(name, values) for name, values in STATES.items()])
        for server in made:
            session.add(InstanceMapping(
                uuid=server.uuid, cell="cell1", project_id=server.project_id, user_id=server.user_id, cores=1, ram=512, created_at=0,
                released_at=1 if server.vm_state == "soft-delete" else None,
            ))
        session.flush()
        instances.record_fault(
            session, instances.lock(session, identify("error")), code=500, message="No valid host was found.", details="each too small",
            now=factories.NOW,
        )
        active = next(server for server in made if server.uuid == identify("active"))
        session.add(ServerGroupMemberRow(group_uuid=identify("group"), instance_uuid=active.uuid))
        self._belongings(session, active)
        self._belongings(session, next(server for server in made if server.uuid == identify("foreign")), volume=False)
        for name in ("resized", "active", "foreign"):
            self._migrations(session, identify(name), name)

    def _hosts(self, session: Session) -> None:
        for name in (HOST, EMPTY_HOST, DEAD_HOST):
            self.service_ids[name] = hosts.report_service(session, host=name, binary="novalike-compute", topic="compute")
            hosts.register_compute_node(session, inventory(name))
            hosts.report_usage(session, name, f"{name}.example.org", HostUsage(uptime="up 5 days", disk_available_least=7))
        for binary in ("novalike-scheduler", "novalike-conductor"):
            self.service_ids[binary] = hosts.report_service(session, host="control", binary=binary, topic="x")
        hosts.update_service(session, self.service_ids[DEAD_HOST], down_after=60, forced_down=True)
        full = aggregates.create_aggregate(session, name="racks", availability_zone=None, now=factories.NOW)
        aggregates.set_metadata(session, full.id, {"ssd": "yes"}, now=factories.NOW)
        aggregates.add_host(session, full.id, HOST, now=factories.NOW)
        empty = aggregates.create_aggregate(session, name="empty", availability_zone=None, now=factories.NOW)
        self.aggregate_id, self.empty_aggregate_id = full.id, empty.id

    def _flavors(self, session: Session) -> None:
        for flavorid, gigabytes, public in (("1", 1, True), ("2", 2, True), ("private", 3, False), ("closed", 3, False)):
            flavors.create(session, factories.flavor(
                flavorid=flavorid, name=f"m1.{flavorid}", memory_mb=512 * gigabytes, root_gb=gigabytes, is_public=public,
                extra_specs={"quota:vif_outbound_average": "10"}, description="a flavor",
            ), now=factories.NOW, project_ids=(PROJECT,) if flavorid == "private" else ())

    def _belongings(self, session: Session, server: Instance, *, volume: bool = True) -> None:
        """Give a server a disk, a volume, an action in its log and a console token."""
        disks = [BlockDevice(uuid=identify(f"disk of {server.uuid}"), source_type="image", destination_type="local", boot_index=0, image_id=IMAGE)]
        if volume:
            caller = Caller(user_id=USER, project_id=PROJECT, request_id=REQUEST_ID)
            attachment = self.volumes.reserve(caller, self.volume, server.uuid)
            self.volumes.attachments[attachment].host, self.volumes.attachments[attachment].complete = HOST, True
            self.volumes._settle(self.volume)
            disks.append(BlockDevice(
                uuid=identify("volume's disk"), source_type="volume", destination_type="volume", device_name="/dev/vdb", volume_id=self.volume,
                attachment_id=attachment, tag="data", plugged=True,
            ))
            console_tokens.add(session, Secret(TOKEN), server, "novnc", ConsoleAddress(
                host="127.0.0.1", port=5900, access_url_base="http://x", tls_port=5901, internal_access_path="/x",
            ), seconds=_FOREVER)
        block_devices.create(session, server.uuid, disks, now=factories.NOW)
        caller = Caller(user_id=server.user_id, project_id=server.project_id, request_id=REQUEST_ID)
        action_log.start(session, "create", server.uuid, caller, factories.NOW)
        session.flush()
        action_log.finish(
            session, server.uuid, REQUEST_ID, event="compute__do_build_and_run_instance", now=factories.NOW, error="No disk.",
            details="Traceback", host=HOST,
        )

    def _migrations(self, session: Session, server: str, name: str) -> None:
        for number, (kind, status) in enumerate((("resize", "finished"), ("live-migration", "running"))):
            row = MigrationRow(
                uuid=identify(f"{name} {kind}"), instance_uuid=server, migration_type=kind, status=status, source_host=DEAD_HOST,
                source_node=f"{DEAD_HOST}.example.org", dest_host=HOST, dest_node=f"{HOST}.example.org",
                project_id=OTHER_PROJECT if name == "foreign" else PROJECT, user_id=USER, document=_document(kind),
                created_at=factories.NOW, updated_at=factories.NOW,
            )
            if name == "resized" and number == 1:
                continue
            session.add(row)
            session.flush()
            if name == "active" and number == 1:
                self.live_migration_id = row.id


def _document(kind: str) -> dict[str, Any]:
    """What the record of a move keeps; of a resize, what it takes to go back."""
    flavor = factories.flavor(flavorid="1", name="m1.1")
    departure = Departure(
        host=DEAD_HOST, node=f"{DEAD_HOST}.example.org", availability_zone="nova", vm_state="active", flavor=flavor, auto_disk_config=True,
    )
    kept = {"departure": serializer.dump(Departure, departure), "flavor": serializer.dump(Flavor, flavor)}
    return {"old_flavor_id": 1, "new_flavor_id": 2, **(kept if kind == "resize" else {})}


def _server(name: str, values: dict[str, Any]) -> Instance:
    """A server with everything that answers may show."""
    port = factories.vif("10.0.0.5", floating=("203.0.113.9",), port_id=PORT, network_id=NETWORK, security_groups=("default",), tag="nic")
    return factories.instance(**{
        "uuid": identify(name), "project_id": PROJECT, "user_id": USER, "display_name": name, "hostname": "web", "host": HOST,
        "node": f"{HOST}.example.org", "image_ref": IMAGE, "image_properties": {"os_type": "linux", "hw_qemu_guest_agent": "yes"}, "availability_zone": "nova",
        "requested_zone": "nova", "key_name": "key", "metadata": {"purpose": "web"}, "tags": ("red",), "description": "a server",
        "user_data": "aGVsbG8=", "network_info": (port,) if name != "foreign" else (replace(port, port_id=identify("foreign port")),),
        "server_group": identify("group") if name == "active" else None, "scheduler_hints": HINTS,
        "trusted_image_certificates": ("certificate",), "root_device_name": "/dev/vda",
        "flavor": factories.flavor(flavorid="1", name="m1.1", extra_specs={"quota:vif_outbound_average": "10"}),
        "system_metadata": {"shelved_image_id": SNAPSHOT, "shelved_host": HOST} if "shelved" in name else {}, **values,
    })
