"""What POST /servers refuses, and what it makes of what it takes."""

from __future__ import annotations

import base64

import pytest

from novalike.api.openstack.app import application
from novalike.db import flavors, instances, keypairs, quotas, tasks
from novalike.objects.keypair import Keypair
from novalike.objects.tasks import BuildState
from novalike.rpc import serializer
from tests import factories
from tests.api import client
from tests.api.client import PROJECT, USER

IMAGE = "70a599e0-31e7-49b7-b260-868f441e862b"
MISSING = "0e44cc9c-e052-415d-afbf-469b0d384170"
NETWORK = "d32019d3-bc6e-4319-9c1d-6722fc136a22"
LATEST = "2.104"


@pytest.fixture(autouse=True)
def cloud(services, sqlite):
    def fill(session):
        for flavorid, values in {
            "1": {}, "big": {"vcpus": 30}, "zero": {"root_gb": 0}, "off": {"disabled": True}, "secret": {"is_public": False},
            "rich": {"ephemeral_gb": 10, "swap_mb": 512},
        }.items():
            flavors.create(session, factories.flavor(flavorid=flavorid, name=flavorid, **values), now=factories.NOW)
        keypairs.create(session, Keypair(user_id=USER, name="mine", public_key="ssh-rsa AAA", fingerprint="aa"), limit=10, now=factories.NOW)
    sqlite.write(fill)
    services.images.add(factories.image(id=IMAGE))
    services.networks.owners[NETWORK] = PROJECT
    services.networks.owners[MISSING] = "somebody else"


def body(**changes):
    server = {"name": "web", "flavorRef": "1", "imageRef": IMAGE, "networks": "none", **changes}
    return {"server": {key: value for key, value in server.items() if value is not ...}}


@pytest.mark.parametrize(("changes", "status", "text"), [
    ({"name": ...}, 400, "'name' is a required property"),
    ({"name": ""}, 400, "name"),
    ({"name": "x" * 256}, 400, "name"),
    ({"description": "x" * 256}, 400, "description"),
    ({"description": "two\nlines"}, 400, "description"),
    ({"security_groups": [{"name": "web", "id": "1"}]}, 400, "'id' was unexpected"),
    ({"security_groups": [{"name": " web"}]}, 400, "name"),
    ({"name": 5}, 400, "name"),
    ({"name": " padded "}, 400, "name"),
    ({"name": "a\x00b"}, 400, "NUL"),
    ({"flavorRef": ...}, 400, "flavorRef"),
    ({"flavorRef": "nope"}, 400, "Flavor nope could not be found."),
    ({"flavorRef": "off"}, 400, "Flavor off could not be found."),
    ({"flavorRef": "secret"}, 400, "Flavor secret could not be found."),
    ({"flavorRef": None}, 400, "flavorRef"),
    ({"flavorRef": {}}, 400, "flavorRef"),
    ({"imageRef": ...}, 400, "Missing imageRef attribute"),
    ({"imageRef": ""}, 400, "Missing imageRef attribute"),
    ({"imageRef": "debian"}, 400, "Invalid imageRef provided."),
    ({"imageRef": MISSING}, 400, "Can not find requested image"),
    ({"networks": ...}, 400, "networks"),
    ({"networks": "some"}, 400, "networks"),
    ({"networks": [{"uuid": "private"}]}, 400, "networks"),
    ({"networks": [{"uuid": MISSING}]}, 400, "could not be found"),
    ({"networks": [{}]}, 400, "missing 'uuid'"),
    ({"networks": [{"port": MISSING, "fixed_ip": "10.0.0.3"}]}, 400, "cannot be used with port"),
    ({"networks": [{"port": MISSING}], "max_count": 2}, 400, "port ID"),
    ({"networks": [{"uuid": NETWORK, "fixed_ip": "10.0.0.300"}]}, 400, "fixed_ip"),
    ({"key_name": "theirs"}, 400, "Invalid key_name provided."),
    ({"security_groups": [{"name": "nothing"}]}, 400, "Security group nothing"),
    ({"availability_zone": "mars"}, 400, "The requested availability zone is not available"),
    ({"availability_zone": "nova:host-1"}, 403, "forced_host"),
    ({"host": "host-1"}, 403, "requested_destination"),
    ({"min_count": 3, "max_count": 2}, 400, "min_count must be <= max_count"),
    ({"min_count": 0}, 400, "min_count"),
    ({"max_count": "many"}, 400, "max_count"),
    ({"max_count": 10**12}, 400, "max_count"),
    ({"max_count": 5000}, 400, "max_count"),
    ({"flavorRef": "big"}, 403, "Quota exceeded for cores: Requested 30, but already used 0 of 20 cores"),
    ({"min_count": 11}, 403, "Quota exceeded for instances: Requested 11, but already used 0 of 10 instances"),
    ({"metadata": {f"k{n}": "v" for n in range(129)}}, 403, "Maximum number of metadata items exceeds 128"),
    ({"metadata": {"k": "v" * 256}}, 400, "k"),
    ({"metadata": {"k": 5}}, 400, "k"),
    ({"metadata": {"": "v"}}, 400, "metadata"),
    ({"user_data": "not base64!"}, 400, "user_data"),
    ({"user_data": base64.b64encode(b"x" * 60000).decode()}, 400, "user_data"),
    ({"config_drive": "perhaps"}, 400, "config_drive"),
    ({"tags": ["a,b"]}, 400, "tags"),
    ({"tags": [str(n) for n in range(51)]}, 400, "tags"),
    ({"hostname": "under_score"}, 400, "hostname"),
    ({"hostname": "-dash"}, 400, "hostname"),
    ({"accessIPv4": "1.2.3"}, 400, "accessIPv4"),
    ({"accessIPv6": "1.2.3.4"}, 400, "accessIPv6"),
    ({"OS-DCF:diskConfig": "SOMETIMES"}, 400, "OS-DCF:diskConfig"),
    ({"personality": []}, 400, "personality"),
    ({"nonsense": 1}, 400, "nonsense"),
    ({"flavorRef": "zero"}, 403, "zero disk"),
    ({"trusted_image_certificates": ["c1"]}, 501, "trusted_image_certificates"),
    ({"block_device_mapping_v2": [{"source_type": "volume", "uuid": MISSING, "boot_index": 0}], "imageRef": ...}, 501, "volumes"),
    ({"block_device_mapping_v2": [{"source_type": "image", "uuid": IMAGE, "boot_index": 0, "destination_type": "volume"}]}, 501, "volumes"),
    ({"block_device_mapping_v2": [{"source_type": "blank", "destination_type": "local", "volume_size": 5}]}, 400, "Ephemeral"),
    ({"block_device_mapping_v2": [{"source_type": "image", "uuid": IMAGE, "boot_index": 3, "destination_type": "local"}]}, 400, "Boot sequence"),
    ({"block_device_mapping_v2": [{"source_type": "nothing"}]}, 400, "source_type"),
    ({"block_device_mapping_v2": [{"boot_index": "x"}]}, 400, "boot_index"),
])
def test_refused(member, services, sqlite, changes, status, text):
    answer = member.at(LATEST).post("/servers", body(**changes))
    assert answer.status == status, answer.json
    assert text in answer.fault
    assert services.doorbell.rung == []
    assert sqlite.fetch(quotas.usage, PROJECT).instances == 0, "nothing is taken by a refused request"


@pytest.mark.parametrize("raw", [
    b"", b"{", b"[]", b"null", b"5", b'"x"', b"\xff\xfe", b"{}", b'{"server": null}', b'{"server": []}', b'{"server": {}}',
    b'{"server": {"name": "\\ud800"}}', b'{"server": {"name": 1e400}}', b'{"a": {}, "server": {}}', b"[" * 5000,
    b'{"server": {"name": "x", "flavorRef": "1", "imageRef": "", "networks": [[[[]]]]}}',
    b'{"server": {"name": "x", "flavorRef": "\\u0000", "networks": "none"}}',
])
def test_hostile_bodies_are_400(member, raw):
    for version in (None, "2.37", LATEST):
        answer = member.at(version).post("/servers", raw=raw)
        assert answer.status == 400, (version, raw[:60], answer.json)
        assert answer.json["badRequest"]["message"]


def test_large_bodies_and_foreign_types(member):
    assert member.post("/servers", raw=b" " * 200_000).status == 413
    answer = member.post("/servers", raw=b"<server/>", headers={"Content-Type": "application/xml"})
    assert (answer.status, next(iter(answer.json))) == (415, "badMediaType")


def test_readers_and_nobody_may_not(reader, nobody):
    assert reader.at(LATEST).post("/servers", body()).status == 403
    assert nobody.at(LATEST).post("/servers", body()).status == 401


def stored(sqlite, uuid):
    with sqlite.read() as session:
        task = tasks.of_instance(session, uuid)
        return instances.get(session, uuid), serializer.load(BuildState, task.state)


def test_a_security_group_asked_for_by_id_is_shown_by_name(admin, services, sqlite):
    group = services.networks.create_group(client.context(), "web", "")
    services.networks.groups |= {group.id, "db"}
    answer = admin.post("/servers", body(networks=..., security_groups=[{"name": group.id}, {"name": "db"}]))
    assert answer.status == 202, answer.json
    instance, state = stored(sqlite, answer.json["server"]["id"])
    assert (instance.security_groups, state.security_groups) == (("web", "db"), (group.id, "db"))


def test_everything_asked_for_is_kept(admin, services, sqlite):
    services.networks.groups.add("web")
    answer = admin.at(LATEST).post("/servers", {**body(
        flavorRef="http://nova/flavors/rich", imageRef=f"http://glance/images/{IMAGE}", description="front", hostname="front.example.org",
        key_name="mine", metadata={"tier": "web"}, tags=["a", "b", "a"], user_data="IyEvYmluL3No", config_drive="true",
        networks=[{"uuid": NETWORK, "fixed_ip": "10.0.0.9", "tag": "nic1"}], accessIPv4="192.0.2.1", accessIPv6="0:0:0:0:0:babe:220.12.22.2",
        adminPass="geheim",
        security_groups=[{"name": "web"}, {"name": "web"}], **{"OS-DCF:diskConfig": "AUTO"},
        block_device_mapping_v2=[
            {"source_type": "image", "uuid": IMAGE, "destination_type": "local", "boot_index": 0, "disk_bus": "scsi"},
            {"source_type": "blank", "destination_type": "local", "volume_size": "4", "boot_index": -1, "tag": "scratch"},
        ],
    ), "os:scheduler_hints": {"same_host": MISSING, "own": "hint"}})
    assert answer.status == 202, answer.json
    assert answer.json["server"]["adminPass"] == "geheim"
    instance, state = stored(sqlite, answer.json["server"]["id"])
    assert (instance.hostname, instance.description, instance.key_name, instance.key_data) == (
        "front.example.org", "front", "mine", "ssh-rsa AAA",
    )
    assert (instance.metadata, instance.tags, instance.config_drive, instance.auto_disk_config) == ({"tier": "web"}, ("a", "b"), True, True)
    assert (instance.access_ip_v4, instance.security_groups, instance.user_data) == ("192.0.2.1", ("web",), "IyEvYmluL3No")
    assert instance.access_ip_v6 == "::babe:dc0c:1602"
    assert instance.scheduler_hints == {"same_host": MISSING, "own": "hint"}
    assert [(n.network_id, n.fixed_ip, n.tag) for n in state.requested_networks] == [(NETWORK, "10.0.0.9", "nic1")]
    assert [(d.source_type, d.guest_format, d.size_gb, d.tag, d.disk_bus) for d in state.block_devices] == [
        ("image", None, 1, None, "scsi"), ("blank", None, 4, "scratch", None), ("blank", "swap", None, None, None),
    ]
    assert state.encrypted_password
    assert "geheim" not in state.encrypted_password


def test_several_at_once(member, services, sqlite):
    answer = member.at(LATEST).post("/servers", body(min_count=2, max_count="3", hostname="node", return_reservation_id=True))
    assert answer.status == 202
    assert list(answer.json) == ["reservation_id"]
    listed = member.get(f"/servers/detail?reservation_id={answer.json['reservation_id']}&sort_key=display_name&sort_dir=asc").json["servers"]
    assert [s["name"] for s in listed] == ["web-1", "web-2", "web-3"]
    with sqlite.read() as session:
        assert [instances.get(session, s["id"]).hostname for s in listed] == ["node-1", "node-2", "node-3"]
        assert [instances.get(session, s["id"]).launch_index for s in listed] == [0, 1, 2]
    assert len(services.doorbell.rung[0]) == 3


def test_quota_grants_between_minimum_and_maximum(member, sqlite):
    assert member.at(LATEST).post("/servers", body(min_count=1, max_count=30)).status == 202
    assert len(member.get("/servers").json["servers"]) == 10


def test_files_until_2_56(member, sqlite):
    content = base64.b64encode(b"x" * 10240).decode()
    files = [{"path": "/etc/motd", "contents": content}]
    answer = member.at("2.56").post("/servers", body(personality=files))
    assert answer.status == 202
    assert stored(sqlite, answer.json["server"]["id"])[1].files == (("/etc/motd", content),)
    for wrong in (
        files * 6, [{"path": "/" + "x" * 255, "contents": content}],
        [{"path": "/a", "contents": base64.b64encode(b"x" * 10241).decode()}],
    ):
        assert member.at("2.56").post("/servers", body(personality=wrong)).status == 403
    assert member.at("2.56").post("/servers", body(personality=[{"path": "/a", "contents": "%%%"}])).status == 400


def test_images_must_fit(member, services):
    for wrong, text in (
        ({"status": "queued"}, "is not active"), ({"min_ram": 1024}, "memory is too small"), ({"size": 2 * 1024 ** 3}, "disk is too small"),
        ({"virtual_size": 5 * 1024 ** 3}, "disk is too small"), ({"min_disk": 2}, "minimum size"),
        ({"visibility": "private"}, "Can not find requested image"), ({"properties": {"kernel_id": MISSING}}, "kernel_id"),
    ):
        image = services.images.add(factories.image(**wrong))
        answer = member.at(LATEST).post("/servers", body(imageRef=image.id))
        assert (answer.status, text in answer.fault) == (400, True), (wrong, answer.json)


def test_legacy_is_relaxed(member, sqlite):
    answer = member.under("/v2").post("/servers", {**body(networks=..., nonsense=1), "more": {}}, headers={"X-OpenStack-Nova-API-Version": "2.40"})
    assert answer.status == 202, answer.json
    assert answer.json["server"]["links"][0]["href"].startswith("http://localhost/v2/servers/")


def test_project_in_the_path(member):
    other = member.get("/0123456789abcdef/servers")
    assert other.json["badRequest"]["message"] == (
        f"Malformed request URL: URL's project_id '0123456789abcdef' doesn't match Context's project_id '{PROJECT}'"
    )
    answer = member.at(LATEST).post(f"/{PROJECT}/servers", body())
    assert answer.json["server"]["links"][0]["href"].startswith(f"http://localhost/v2.1/{PROJECT}/servers/")


def test_names_become_host_names():
    from novalike.api.operations.names import hostname
    assert hostname("My Web_1.example", "u") == "my-web-1-example"
    assert hostname("日本", "u") == "Server-u"
    assert hostname("--a--", "u") == "a"
    assert hostname("x" * 62 + "--y", "u") == "x" * 62


def test_a_build_has_to_be_placed_within_the_time_that_is_configured(sqlite, services):
    services.conf.set_override("allocate_timeout", 7, "conductor")
    made = client.Client(application(services), client.context(), version="2.37").post("/servers", body())
    assert made.status == 202, made.json
    with sqlite.read() as session:
        task = tasks.of_instance(session, made.json["server"]["id"])
    assert task.deadline - task.step_since == pytest.approx(7000, abs=100)


def make_group(caller, policy="anti-affinity"):
    answer = caller.at("2.64").post("/os-server-groups", {"server_group": {"name": "g", "policy": policy}})
    return answer.json["server_group"]["id"]


def hinted(group, **changes):
    return {**body(**changes), "os:scheduler_hints": {"group": group}}


def test_a_server_joins_its_group(member, sqlite):
    group = make_group(member)
    made = member.at(LATEST).post("/servers", hinted(group, min_count=2)).json["server"]["id"]
    shown = member.at(LATEST).get(f"/servers/{made}").json["server"]
    assert (shown["server_groups"], shown["scheduler_hints"]) == ([group], {"group": group})
    assert stored(sqlite, made)[0].server_group == group
    members = member.get(f"/os-server-groups/{group}").json["server_group"]["members"]
    assert len(members) == 2
    assert made in members
    assert member.delete(f"/os-server-groups/{group}").status == 204
    assert member.at(LATEST).get(f"/servers/{made}").json["server"]["server_groups"] == []


def test_groups_which_cannot_be_joined(member, stranger, sqlite):
    group = make_group(stranger)
    for unknown in (group, MISSING):
        answer = member.at(LATEST).post("/servers", hinted(unknown))
        assert (answer.status, answer.fault) == (400, f"Instance group {unknown} could not be found.")
    assert member.at(LATEST).post("/servers", hinted("not-a-uuid")).status == 400
    assert sqlite.fetch(quotas.usage, PROJECT).instances == 0


def test_a_group_has_so_many_servers_of_a_user(member, admin, sqlite):
    admin.put(f"/os-quota-sets/{PROJECT}", {"quota_set": {"server_group_members": 2}})
    group = make_group(member)
    answer = member.at(LATEST).post("/servers", hinted(group, min_count=1, max_count=3))
    assert (answer.status, answer.fault) == (403, "Quota exceeded, too many servers in group")
    assert sqlite.fetch(quotas.usage, PROJECT).instances == 0, "nothing is taken by a refused request"
    assert member.at(LATEST).post("/servers", hinted(group, min_count=2)).status == 202
    assert member.at(LATEST).post("/servers", hinted(group)).status == 403
    another = client.Client(member.app, client.context(user="another"), version=LATEST)
    assert another.post("/servers", hinted(group)).status == 202, "each user has a count of its own"
