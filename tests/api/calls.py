"""How each operation of Nova's table is called in the world of world.py, so that it succeeds.

One line per operation, in the table's order: whoever builds one that is not there yet finds its call here already, or adds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from novalike.api.http.versions import Version
from tests.api import world as w
from tests.api.client import PROJECT, Answer, Client
from tests.api.facts import Row
from tests.api.world import World, identify

Body = Any                                       # JSON; or a function of the world and the version which answers it
Text = str | Callable[[World, Version], str]


@dataclass(frozen=True)
class Call:
    """`body` is what stands behind an action's word, or the whole body. `at` names the server, `first` and `second` what the
    path's parameters name otherwise. `also` are further queries, whose answers show the names which the first does not.
    `unseen` are names of the facts which nothing in this world shows."""

    body: Body = None
    at: str = "active"
    first: Text | None = None
    second: Text | None = None
    query: Text = ""
    also: tuple[Call, ...] = ()
    unseen: frozenset[str] = field(default_factory=frozenset)
    code: int | None = None                      # what it answers, where the facts have a choice or know of drivers which we have not
    since: Version = (2, 1)                      # it cannot succeed before
    free_until: Version = (2, 0)                 # the answer's names are anybody's guess


def send(world: World, client: Client, row: Row, call: Call, version: Version, *, foreign: bool = False) -> Answer:
    """Call an operation; `foreign`: where the path names a project, name the other one."""
    body = call.body(world, version) if callable(call.body) else call.body
    if row.action:
        body = {row.action: body}
    named = path(world, row, call, version)
    if foreign:
        named = named.replace(PROJECT, w.OTHER_PROJECT)
    return client(row.method, named + _text(call.query, world, version), body)


def path(world: World, row: Row, call: Call, version: Version) -> str:
    """Answer the path of a call."""
    parts = row.path.split("/")
    slots = [number for number, part in enumerate(parts) if part.startswith("{")]
    given = [call.first, call.second]
    for slot, value in zip(slots, given, strict=False):
        default = FIRST.get(f"/{parts[1]}") if slot == slots[0] else SECOND.get(parts[slot - 1])
        chosen = identify(call.at) if value is None and parts[1] in {"servers", "os-volumes_boot"} and slot == slots[0] else value
        chosen = default if chosen is None else chosen
        parts[slot] = "1" if chosen is None else _text(chosen, world, version)
    return "/".join(parts)


def _text(text: Text, world: World, version: Version) -> str:
    return text(world, version) if callable(text) else text


def _hypervisor(world: World, version: Version) -> str:
    listed = world.admin.at(f"2.{version[1]}").get("/os-hypervisors").json["hypervisors"]
    return str(next(one["id"] for one in listed if one["hypervisor_hostname"].startswith(w.HOST)))


def _service(host: str) -> Text:
    def find(world: World, version: Version) -> str:
        listed = world.admin.at(f"2.{version[1]}").get(f"/os-services?host={host}").json["services"]
        return str(listed[0]["id"])
    return find


#: What the first parameter of a path below names, if the call does not say.
FIRST: dict[str, Text] = {
    "/extensions": "os-keypairs", "/flavors": "1", "/images": w.IMAGE, "/os-aggregates": lambda world, _: str(world.aggregate_id),
    "/os-console-auth-tokens": w.TOKEN, "/os-hypervisors": _hypervisor, "/os-keypairs": "key", "/os-quota-class-sets": "default",
    "/os-quota-sets": PROJECT, "/os-server-groups": identify("group"), "/os-services": _service(w.EMPTY_HOST),
    "/os-simple-tenant-usage": PROJECT, "/os-hosts": w.HOST, "/os-security-groups": identify("security group"),
    "/os-networks": w.NETWORK, "/os-tenant-networks": w.NETWORK, "/os-floating-ips": identify("floating ip"),
}
#: What the second names, by the collection it is in.
SECOND: dict[str, Text] = {
    "os-extra_specs": "quota:vif_outbound_average", "metadata": "purpose", "tags": "red", "ips": "private",
    "os-instance-actions": w.REQUEST_ID, "os-interface": w.PORT, "os-volume_attachments": lambda world, _: world.volume,
    "migrations": lambda world, _: str(world.live_migration_id),
}


def since(minor: int, **values: Any) -> Callable[[Version], dict[str, Any]]:
    """Answer what a body has from a version on."""
    return lambda version: values if version >= (2, minor) else {}


def _server(_world: World, version: Version) -> Body:
    server: dict[str, Any] = {
        "name": "new", "flavorRef": "1", "imageRef": w.IMAGE, "security_groups": [{"name": "default"}], "metadata": {"a": "b"},
    }
    return {"server": server | since(37, networks="none")(version)}


def _evacuate(_world: World, version: Version) -> Body:
    return {} if version >= (2, 14) else {"onSharedStorage": False}


def _live_migration(_world: World, version: Version) -> Body:
    later = {"block_migration": "auto"} if version >= (2, 25) else {"block_migration": False, "disk_over_commit": False}
    return {"host": w.EMPTY_HOST, **later}


def _keypair(_world: World, version: Version) -> Body:
    return {"keypair": {"name": "new"} | since(92, public_key=w.KEY)(version)}


def _group(_world: World, version: Version) -> Body:
    policy = {"policy": "anti-affinity", "rules": {"max_server_per_host": 2}} if version >= (2, 64) else {"policies": ["affinity"]}
    return {"server_group": {"name": "new", **policy}}


def _old_service(*unseen: str, **more: Any) -> Call:
    """The facts name what all four words may answer."""
    return Call({"host": w.HOST, "binary": "nova-compute", **more}, unseen=frozenset(f"service.{name}" for name in unseen))


_AGGREGATE_EMPTY: Text = lambda world, _: str(world.empty_aggregate_id)  # noqa: E731
_LINKED = (Call(query="?limit=1"),)
_LIST = Call(also=_LINKED)
_BOTH = (Call(at="error"),)                      # progress in one answer, a fault in the other
_USAGE = "?start=2026-01-01T00:00:00&end=2026-02-01T00:00:00"
#: Only in the partial answers about a cell which is away.
_PARTIAL = frozenset({"servers.status"})

#: Built, to say that nothing here can do it: only drivers which are gone could switch hosts, there is no bare metal service ...
_CANNOT = Call(code=501)

CALLS: dict[str, Call] = {
    "GET /extensions": Call(unseen=frozenset({"extensions.links.href", "extensions.links.rel"})),   # always an empty list
    "GET /extensions/{id}": Call(unseen=frozenset({"extension.links.href", "extension.links.rel"})),
    "GET /flavors": _LIST,
    "POST /flavors": Call({"flavor": {"name": "new", "ram": 1, "vcpus": 1, "disk": 1}}, unseen=frozenset({"flavor.extra_specs.<key>"})),
    "GET /flavors/detail": _LIST,
    "GET /flavors/{id}": Call(),
    "PUT /flavors/{id}": Call({"flavor": {"description": "new"}}),
    "DELETE /flavors/{id}": Call(),
    "POST /flavors/{id}/action addTenantAccess": Call({"tenant": w.OTHER_PROJECT}, first="private"),
    "POST /flavors/{id}/action removeTenantAccess": Call(
        {"tenant": PROJECT}, first="private", unseen=frozenset({"flavor_access.flavor_id", "flavor_access.tenant_id"}),
    ),
    "GET /flavors/{flavor_id}/os-extra_specs": Call(),
    "POST /flavors/{flavor_id}/os-extra_specs": Call({"extra_specs": {"hw:cpu_policy": "shared"}}),
    "GET /flavors/{flavor_id}/os-extra_specs/{id}": Call(),
    "PUT /flavors/{flavor_id}/os-extra_specs/{id}": Call({"quota:vif_outbound_average": "20"}),
    "DELETE /flavors/{flavor_id}/os-extra_specs/{id}": Call(),
    "GET /flavors/{flavor_id}/os-flavor-access": Call(first="private"),
    "GET /images": _LIST,
    "GET /images/detail": Call(also=_LINKED, unseen=frozenset({"images.server.id", "images.server.links"})),
    "GET /images/{id}": Call(unseen=frozenset({"image.server.id", "image.server.links"})),
    "DELETE /images/{id}": Call(),
    "GET /images/{image_id}/metadata": Call(),
    "POST /images/{image_id}/metadata": Call({"metadata": {"a": "b"}}),
    "PUT /images/{image_id}/metadata": Call({"metadata": {"a": "b"}}),
    "GET /images/{image_id}/metadata/{id}": Call(second="hw_qemu_guest_agent"),
    "PUT /images/{image_id}/metadata/{id}": Call({"meta": {"hw_qemu_guest_agent": "no"}}, second="hw_qemu_guest_agent"),
    "DELETE /images/{image_id}/metadata/{id}": Call(second="hw_qemu_guest_agent"),
    "GET /limits": Call(),
    "GET /os-aggregates": Call(),
    "POST /os-aggregates": Call({"aggregate": {"name": "new", "availability_zone": "az1"}}),
    "GET /os-aggregates/{id}": Call(),
    "PUT /os-aggregates/{id}": Call({"aggregate": {"name": "renamed"}}),
    "DELETE /os-aggregates/{id}": Call(first=_AGGREGATE_EMPTY),
    "POST /os-aggregates/{id}/action add_host": Call({"host": w.EMPTY_HOST}),
    "POST /os-aggregates/{id}/action remove_host": Call({"host": w.HOST}),
    "POST /os-aggregates/{id}/action set_metadata": Call({"metadata": {"ssd": "no"}}),
    "POST /os-aggregates/{id}/images": Call({"cache": [{"id": w.IMAGE}]}),
    "POST /os-assisted-volume-snapshots": Call(lambda world, _: {"snapshot": {
        "volume_id": world.volume, "create_info": {"snapshot_id": identify("snapshot"), "type": "qcow2", "new_file": "new"},
    }}, code=501),
    "DELETE /os-assisted-volume-snapshots/{id}": Call(
        first=identify("snapshot"), query=lambda world, _: f'?delete_info={{"volume_id":"{world.volume}","file_to_merge":"a","merge_target_file":"b"}}',
        code=501,
    ),
    "GET /os-availability-zone": Call(),
    "GET /os-availability-zone/detail": Call(),
    "GET /os-baremetal-nodes": _CANNOT,
    "GET /os-baremetal-nodes/{id}": _CANNOT,
    "GET /os-console-auth-tokens/{id}": Call(since=(2, 31)),      # before, of RDP tokens only: nobody makes them any more
    "GET /os-floating-ip-pools": Call(),
    "GET /os-floating-ips": Call(),
    "POST /os-floating-ips": Call({}),
    "GET /os-floating-ips/{id}": Call(),
    "DELETE /os-floating-ips/{id}": Call(),
    "GET /os-hosts": Call(),
    "GET /os-hosts/{id}": Call(),
    "PUT /os-hosts/{id}": Call({"status": "enable"}, unseen=frozenset({"maintenance_mode"})),
    "GET /os-hosts/{id}/reboot": _CANNOT,
    "GET /os-hosts/{id}/shutdown": _CANNOT,
    "GET /os-hosts/{id}/startup": _CANNOT,
    "GET /os-hypervisors": Call(also=(*_LINKED, Call(query="?with_servers=true"))),
    "GET /os-hypervisors/detail": Call(also=(*_LINKED, Call(query="?with_servers=true"))),
    "GET /os-hypervisors/statistics": Call(),
    "GET /os-hypervisors/{id}": Call(also=(Call(query="?with_servers=true"),)),
    "GET /os-hypervisors/{id}/search": Call(first=w.HOST),
    "GET /os-hypervisors/{id}/servers": Call(first=w.HOST),
    # Nova's schema of 2.53 allows servers here; its code never shows them.
    "GET /os-hypervisors/{id}/uptime": Call(unseen=frozenset({"hypervisor.servers.name", "hypervisor.servers.uuid"})),
    "GET /os-instance_usage_audit_log": Call(),
    "GET /os-instance_usage_audit_log/{id}": Call(first="2026-01-01%2000:00:00"),
    "GET /os-keypairs": _LIST,
    "POST /os-keypairs": Call(_keypair),
    "GET /os-keypairs/{id}": Call(),
    "DELETE /os-keypairs/{id}": Call(),
    "GET /os-migrations": _LIST,
    "GET /os-networks": Call(),
    "GET /os-networks/{id}": Call(),
    "GET /os-quota-class-sets/{id}": Call(),
    "PUT /os-quota-class-sets/{id}": Call({"quota_class_set": {"cores": 50}}),
    "GET /os-quota-sets/{id}": Call(),
    "PUT /os-quota-sets/{id}": Call({"quota_set": {"cores": 50}}),
    "DELETE /os-quota-sets/{id}": Call(),
    "GET /os-quota-sets/{id}/detail": Call(),
    "GET /os-quota-sets/{id}/defaults": Call(),
    "POST /os-security-group-rules": Call({"security_group_rule": {
        "parent_group_id": identify("security group"), "group_id": identify("security group"), "ip_protocol": "tcp", "from_port": 80, "to_port": 80,
    }}, also=(Call({"security_group_rule": {
        "parent_group_id": identify("security group"), "cidr": "10.0.0.0/8", "ip_protocol": "tcp", "from_port": 80, "to_port": 80,
    }}),)),
    "DELETE /os-security-group-rules/{id}": Call(first=identify("rule 0")),
    "GET /os-security-groups": Call(),
    "POST /os-security-groups": Call({"security_group": {"name": "new", "description": "new"}}, unseen=frozenset(
        f"security_group.rules.{name}" for name in (     # a new group has outgoing rules, which are not shown
            "from_port", "group.name", "group.tenant_id", "id", "ip_protocol", "ip_range.cidr", "parent_group_id", "to_port",
        )
    )),
    "GET /os-security-groups/{id}": Call(),
    "PUT /os-security-groups/{id}": Call({"security_group": {"name": "renamed", "description": "new"}}),
    "DELETE /os-security-groups/{id}": Call(),
    "POST /os-server-external-events": Call({"events": [{"name": "network-changed", "server_uuid": identify("active"), "tag": w.PORT}]}),
    "GET /os-server-groups": Call(),
    "POST /os-server-groups": Call(_group),
    "GET /os-server-groups/{id}": Call(),
    "DELETE /os-server-groups/{id}": Call(),
    "GET /os-services": Call(),
    "PUT /os-services/{id}": Call({"status": "disabled", "disabled_reason": "disk"}),
    "DELETE /os-services/{id}": Call(),
    "GET /os-simple-tenant-usage": Call(query=f"{_USAGE}&detailed=1", also=(Call(query=f"{_USAGE}&limit=1"),)),
    "GET /os-simple-tenant-usage/{id}": Call(query=_USAGE, also=(Call(query=f"{_USAGE}&limit=1"),)),
    "GET /os-snapshots": Call(),
    "POST /os-snapshots": Call(lambda world, _: {"snapshot": {"volume_id": world.volume}}),
    "GET /os-snapshots/detail": Call(),
    "GET /os-snapshots/{id}": Call(),
    "DELETE /os-snapshots/{id}": Call(),
    "GET /os-tenant-networks": Call(),
    "GET /os-tenant-networks/{id}": Call(),
    "GET /os-volumes": Call(),
    "POST /os-volumes": Call({"volume": {"size": 1}}),
    "GET /os-volumes/detail": Call(),
    "GET /os-volumes/{id}": Call(),
    "DELETE /os-volumes/{id}": Call(),
    "GET /servers": Call(also=_LINKED, unseen=_PARTIAL),
    "POST /servers": Call(_server, also=(Call(lambda world, version: {
        "server": {**_server(world, version)["server"], "return_reservation_id": True},
    }),)),
    "GET /servers/detail": _LIST,
    "GET /servers/{id}": Call(also=_BOTH),
    "PUT /servers/{id}": Call({"server": {"name": "renamed"}}, also=(Call({"server": {"name": "renamed"}}, at="error"),)),
    "DELETE /servers/{id}": Call(),
    "POST /servers/{id}/action confirmResize": Call(at="resized"),
    "POST /servers/{id}/action revertResize": Call(at="resized"),
    "POST /servers/{id}/action reboot": Call({"type": "SOFT"}),
    "POST /servers/{id}/action resize": Call({"flavorRef": "2"}),
    "POST /servers/{id}/action rebuild": Call({"imageRef": w.OTHER_IMAGE}, unseen=frozenset({f"server.fault.{n}" for n in (
        "code", "created", "details", "message",
    )})),
    "POST /servers/{id}/action createImage": Call({"name": "snapshot"}),
    "POST /servers/{id}/action os-start": Call(at="stopped"),
    "POST /servers/{id}/action os-stop": Call(),
    "POST /servers/{id}/action trigger_crash_dump": Call(),
    "POST /servers/{id}/action injectNetworkInfo": Call(),
    "POST /servers/{id}/action os-resetState": Call({"state": "active"}, at="error"),
    "POST /servers/{id}/action changePassword": Call({"adminPass": "secret"}),
    "POST /servers/{id}/action os-getConsoleOutput": Call({"length": 10}),
    "POST /servers/{id}/action createBackup": Call({"name": "backup", "backup_type": "daily", "rotation": 1}),
    "POST /servers/{id}/action restore": Call(at="soft-delete"),
    "POST /servers/{id}/action forceDelete": Call(),
    "POST /servers/{id}/action evacuate": Call(_evacuate, at="on a dead host"),
    "POST /servers/{id}/action addFloatingIp": Call({"address": "203.0.113.7"}),
    "POST /servers/{id}/action removeFloatingIp": Call({"address": "203.0.113.9"}),
    "POST /servers/{id}/action lock": Call(),
    "POST /servers/{id}/action unlock": Call(at="locked"),
    "POST /servers/{id}/action migrate": Call(),
    "POST /servers/{id}/action os-migrateLive": Call(_live_migration),
    "POST /servers/{id}/action addFixedIp": Call({"networkId": w.NETWORK}),
    "POST /servers/{id}/action removeFixedIp": Call({"address": "10.0.0.5"}),
    "POST /servers/{id}/action pause": Call(),
    "POST /servers/{id}/action unpause": Call(at="paused"),
    "POST /servers/{id}/action os-getVNCConsole": Call({"type": "novnc"}),
    "POST /servers/{id}/action os-getSPICEConsole": Call({"type": "spice-html5"}),
    "POST /servers/{id}/action os-getSerialConsole": Call({"type": "serial"}),
    "POST /servers/{id}/action rescue": Call({}),
    "POST /servers/{id}/action unrescue": Call(at="rescued"),
    "POST /servers/{id}/action addSecurityGroup": Call({"name": "web"}),
    "POST /servers/{id}/action removeSecurityGroup": Call({"name": "default"}),
    "POST /servers/{id}/action shelve": Call(),
    "POST /servers/{id}/action shelveOffload": Call(at="shelved"),
    "POST /servers/{id}/action unshelve": Call(at="shelved_offloaded"),
    "POST /servers/{id}/action suspend": Call(),
    "POST /servers/{id}/action resume": Call(at="suspended"),
    "GET /servers/{server_id}/diagnostics": Call(free_until=(2, 47)),
    "GET /servers/{server_id}/ips": Call(),
    "GET /servers/{server_id}/ips/{id}": Call(),
    "GET /servers/{server_id}/metadata": Call(),
    "POST /servers/{server_id}/metadata": Call({"metadata": {"a": "b"}}),
    "PUT /servers/{server_id}/metadata": Call({"metadata": {"a": "b"}}),
    "GET /servers/{server_id}/metadata/{id}": Call(),
    "PUT /servers/{server_id}/metadata/{id}": Call({"meta": {"purpose": "mail"}}),
    "DELETE /servers/{server_id}/metadata/{id}": Call(),
    "GET /servers/{server_id}/migrations": Call(),
    "GET /servers/{server_id}/migrations/{id}": Call(),
    "DELETE /servers/{server_id}/migrations/{id}": Call(),
    "POST /servers/{server_id}/migrations/{id}/action force_complete": Call(),
    "GET /servers/{server_id}/os-instance-actions": _LIST,
    "GET /servers/{server_id}/os-instance-actions/{id}": Call(),
    "GET /servers/{server_id}/os-interface": Call(),
    "POST /servers/{server_id}/os-interface": Call({"interfaceAttachment": {"net_id": w.NETWORK}}),
    "GET /servers/{server_id}/os-interface/{id}": Call(),
    "DELETE /servers/{server_id}/os-interface/{id}": Call(),
    "GET /servers/{server_id}/os-server-password": Call(),
    "DELETE /servers/{server_id}/os-server-password": Call(),
    "GET /servers/{server_id}/os-volume_attachments": Call(),
    "POST /servers/{server_id}/os-volume_attachments": Call(lambda world, _: {"volumeAttachment": {"volumeId": world.free_volume}}),
    "GET /servers/{server_id}/os-volume_attachments/{id}": Call(),
    "PUT /servers/{server_id}/os-volume_attachments/{id}": Call(lambda world, _: {"volumeAttachment": {"volumeId": world.free_volume}}),
    "DELETE /servers/{server_id}/os-volume_attachments/{id}": Call(),
    "POST /servers/{server_id}/remote-consoles": Call({"remote_console": {"protocol": "vnc", "type": "novnc"}}),
    "GET /servers/{server_id}/os-security-groups": Call(),
    "GET /servers/{server_id}/shares": Call(),
    "POST /servers/{server_id}/shares": Call({"share": {"share_id": identify("share")}}, at="stopped"),
    "GET /servers/{server_id}/shares/{id}": Call(at="stopped", second=identify("share")),
    "DELETE /servers/{server_id}/shares/{id}": Call(at="stopped", second=identify("share")),
    "GET /servers/{server_id}/tags": Call(),
    "PUT /servers/{server_id}/tags": Call({"tags": ["blue"]}),
    "DELETE /servers/{server_id}/tags": Call(),
    "GET /servers/{server_id}/tags/{id}": Call(),
    "PUT /servers/{server_id}/tags/{id}": Call(second="blue", also=(Call(code=204),)),
    "DELETE /servers/{server_id}/tags/{id}": Call(),
    "GET /servers/{server_id}/topology": Call(unseen=frozenset({f"nodes.{name}" for name in (     # no guest here has a topology
        "cpu_pinning.<key>", "host_node", "memory_mb", "siblings", "vcpu_set",
    )})),
    **{f"PUT /os-services/{word}": _old_service("disabled_reason", "forced_down") for word in ("enable", "disable")},
    "PUT /os-services/disable-log-reason": _old_service("forced_down", disabled_reason="disk"),
    "PUT /os-services/force-down": _old_service("status", "disabled_reason", forced_down=True),
}


def of(row: Row) -> Call | None:
    """Answer how a row is called; None for one which is refused at every version."""
    return CALLS.get(str(row).replace("/os-volumes_boot", "/servers"))
