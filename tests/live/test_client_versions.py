"""openstacksdk's compute proxy and python-novaclient, each through its own code, at the microversions clients settle on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from tests.live.clouds import SDK_WARNS, Cloud, until

pytestmark = [pytest.mark.timeout(240), SDK_WARNS]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGUtk0P4ihq9fTGJ2Ap8j2Rv5iT3f4nQpY1n0S6fWc0k somebody@example"


@dataclass(frozen=True)
class Needs:
    """Ids of what servers are made from."""

    image: str
    flavor: str
    larger: str
    network: str


@pytest.fixture(scope="module")
def needs(embedded: Cloud) -> Iterator[Needs]:
    sdk = embedded.admin
    image = sdk.image.create_image(
        "v", disk_format="raw", container_format="bare", visibility="public", data=b"\0" * 4096, hw_qemu_guest_agent="yes",
    )
    flavor, larger = (sdk.compute.create_flavor(name=f"v.{ram}", ram=ram, vcpus=1, disk=1) for ram in (64, 128))
    network = sdk.network.create_network(name="v")
    subnet = sdk.network.create_subnet(network_id=network.id, name="v", ip_version=4, cidr="10.6.0.0/24")
    yield Needs(image.id, flavor.id, larger.id, network.id)
    embedded.nothing_left()
    sdk.network.delete_subnet(subnet.id)
    sdk.network.delete_network(network.id)
    for one in (flavor, larger):
        sdk.compute.delete_flavor(one.id)
    for one in sdk.image.images():
        if one.name in {"v", "v-image", "v-backup"}:
            sdk.image.delete_image(one.id)


@pytest.fixture(autouse=True)
def _no_servers_left(embedded: Cloud) -> Iterator[None]:
    """What a failed test leaves disturbs no other one."""
    yield
    for server in embedded.admin.compute.servers(all_projects=True, details=False):
        embedded.admin.compute.delete_server(server.id)
        embedded.wait_gone(server.id)
    for aggregate in embedded.admin.compute.aggregates():
        for host in aggregate.hosts or ():
            embedded.admin.compute.remove_host_from_aggregate(aggregate.id, host)
        embedded.admin.compute.delete_aggregate(aggregate.id)


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


# --- openstacksdk


@pytest.fixture(params=["2.1", "2.53", "2.79", "2.104"])
def sdk(request, embedded: Cloud) -> Iterator[Any]:
    """A connection whose every compute request is of one microversion."""
    connection = embedded.connect("novalike-admin", compute_default_microversion=request.param)
    assert connection.compute.default_microversion == request.param
    yield connection
    connection.close()


def test_the_sdk_with_a_server(sdk: Any, embedded: Cloud, needs: Needs):
    compute, at = sdk.compute, number(sdk.compute.default_microversion)
    server = compute.create_server(
        name="v", image_id=needs.image, flavor_id=needs.flavor, networks=[{"uuid": needs.network}], metadata={"a": "b"}, user_data="aGVsbG8=",
    )
    assert server.admin_password
    embedded.wait(server.id, "ACTIVE")
    shown = compute.get_server(server.id)
    assert (shown.name, shown.status, shown.metadata, shown.image.id) == ("v", "ACTIVE", {"a": "b"}, needs.image)
    assert (shown.flavor.original_name == "v.64") if at >= (2, 47) else (shown.flavor.id == needs.flavor)
    assert (shown.is_locked, shown.host_status) == (False if at >= (2, 9) else None, "UP" if at >= (2, 16) else None)
    assert [one.id for one in compute.servers(name="v", limit=1)] == [server.id]
    assert [one.id for one in compute.servers(details=False, all_projects=True)] == [server.id]
    assert compute.update_server(server, name="v2").name == "v2"
    compute.set_server_metadata(server, c="d")
    compute.delete_server_metadata(compute.get_server(server.id), ["a"])
    assert compute.get_server_metadata(server).metadata == {"c": "d"}
    if at >= (2, 26):
        shown.add_tag(compute, "red")
        assert shown.fetch_tags(compute).tags == ["red"]
        shown.remove_all_tags(compute)

    for act, status in (
        (compute.pause_server, "PAUSED"), (compute.unpause_server, "ACTIVE"), (compute.suspend_server, "SUSPENDED"), (compute.resume_server, "ACTIVE"),
        (compute.stop_server, "SHUTOFF"), (compute.start_server, "ACTIVE"), (compute.rescue_server, "RESCUE"), (compute.unrescue_server, "ACTIVE"),
        (compute.lock_server, "ACTIVE"), (compute.unlock_server, "ACTIVE"), (compute.shelve_server, "SHELVED_OFFLOADED"), (compute.unshelve_server, "ACTIVE"),
    ):
        act(server)
        embedded.wait(server.id, status)
    for act, word, status in (
        (compute.reboot_server, "HARD", "ACTIVE"), (compute.resize_server, needs.larger, "VERIFY_RESIZE"), (compute.change_server_password, "secret", "ACTIVE"),
    ):
        act(server, word)
        embedded.wait(server.id, status)
        if status == "VERIFY_RESIZE":
            [move] = compute.migrations(server_id=server.id)
            assert (move.migration_type, move.status) == ("resize" if at >= (2, 23) else None, "finished")
            compute.revert_server_resize(server)
            embedded.wait(server.id, "ACTIVE")
    image = compute.create_server_image(server, "v-image", wait=True)
    assert image.status == "active"
    compute.backup_server(server, "v-backup", "daily", 1)
    embedded.wait(server.id, "ACTIVE")
    compute.rebuild_server(server, image=needs.image, name="v3")
    embedded.wait(server.id, "ACTIVE")

    assert "login" in compute.get_server_console_output(server)["output"]
    assert "token" in compute.create_server_remote_console(server, protocol="vnc", type="novnc").url if at >= (2, 6) else True
    if at >= (2, 48):
        assert compute.get_server_diagnostics(server).state == "running"
    interface = compute.create_server_interface(server, net_id=needs.network)
    assert interface.port_id in {one.port_id for one in compute.server_interfaces(server)}
    compute.delete_server_interface(interface, server=server)
    until("one interface", lambda: len(list(compute.server_interfaces(server))) == 1, 20)
    assert list(compute.volume_attachments(server)) == []
    assert [ip.network_label for ip in compute.server_ips(server)] == ["v"]
    actions = [one.action for one in compute.server_actions(server)]
    assert actions[-1] == "create"
    assert "resize" in actions
    assert compute.get_server_action(next(iter(compute.server_actions(server))).request_id, server).action == actions[0]
    compute.delete_server(server)
    embedded.wait_gone(server.id)


def test_the_sdk_with_the_rest(sdk: Any, needs: Needs):
    compute, at = sdk.compute, number(sdk.compute.default_microversion)
    key = compute.create_keypair(name="v", public_key=KEY, **({"type": "ssh"} if at >= (2, 2) else {}))
    assert [one.name for one in compute.keypairs()] == ["v"]
    assert compute.get_keypair("v").fingerprint == key.fingerprint
    compute.delete_keypair("v")
    group = compute.create_server_group(name="v", **({"policies": ["affinity"]} if at < (2, 64) else {"policy": "affinity"}))
    assert [one.name for one in compute.server_groups()] == ["v"]
    assert compute.get_server_group(group.id).id == group.id
    compute.delete_server_group(group)
    assert compute.find_flavor("v.64").id == needs.flavor
    assert {"v.64", "v.128"} <= {one.name for one in compute.flavors(details=True)}
    compute.create_flavor_extra_specs(needs.flavor, {"hw:boot_menu": "true"})
    compute.update_flavor_extra_specs_property(needs.flavor, "hw:boot_menu", "false")
    assert compute.get_flavor_extra_specs_property(needs.flavor, "hw:boot_menu") == "false"
    compute.delete_flavor_extra_specs_property(needs.flavor, "hw:boot_menu")
    hypervisors = list(compute.hypervisors(details=True))
    assert len(hypervisors) == 2
    host = hypervisors[0].service_details["host"]
    assert compute.get_hypervisor(hypervisors[0].id).status == "enabled"
    aggregate = compute.create_aggregate(name="v", availability_zone="v-zone")
    compute.add_host_to_aggregate(aggregate.id, host)
    compute.set_aggregate_metadata(aggregate.id, {"a": "b"})
    assert compute.get_aggregate(aggregate.id).hosts == [host]
    assert {"v-zone", "internal"} <= {one.name for one in compute.availability_zones(details=True)}
    compute.remove_host_from_aggregate(aggregate.id, host)
    assert compute.update_aggregate(aggregate.id, name="v2").name == "v2"
    compute.delete_aggregate(aggregate.id)
    service = next(one for one in compute.services() if one.host == host)
    compute.disable_service(service, host, "nova-compute", "broken")
    assert next(one for one in compute.services() if one.host == host).status == "disabled"
    compute.enable_service(service, host, "nova-compute")
    assert compute.get_limits().absolute.instances == 10
    project = sdk.identity.find_project("demo").id
    compute.update_quota_set(project, cores=7)
    assert compute.get_quota_set(project).cores == 7
    compute.revert_quota_set(project)
    assert compute.get_quota_set_defaults(project).cores == 20
    assert isinstance(list(compute.usages()), list)
    assert isinstance(list(compute.migrations()), list)
    if at < (2, 36):
        assert needs.image in {one["id"] for one in compute.get("/images").json()["images"]}
        assert len(list(compute.get("/extensions").json()["extensions"])) > 30


# --- python-novaclient, which goes up to 2.96


@pytest.fixture(params=["2.1", "2.53", "2.79", "2.96"])
def nova(request, embedded: Cloud) -> Any:
    from novaclient import client  # it warns when imported, which only tests with SDK_WARNS may
    return client.Client(request.param, session=embedded.admin.session, service_type="compute")


def test_novaclient_with_a_server(nova: Any, embedded: Cloud, needs: Needs):
    at = number(nova.api_version.get_string())
    server = nova.servers.create(
        "n", image=needs.image, flavor=needs.flavor, nics=[{"net-id": needs.network}], meta={"a": "b"}, userdata="hello", config_drive=True,
        **({"description": "first"} if at >= (2, 19) else {}), **({"tags": ["red"]} if at >= (2, 52) else {}),
    )
    assert server.adminPass
    embedded.wait(server.id, "ACTIVE")
    assert [one.id for one in nova.servers.list(search_opts={"name": "n"}, limit=1)] == [server.id]
    server = nova.servers.get(server.id)
    assert (server.name, server.metadata, server.config_drive) == ("n", {"a": "b"}, "True")
    assert nova.servers.update(server, name="n2").name == "n2"
    nova.servers.set_meta(server, {"c": "d"})
    nova.servers.delete_meta(server, ["a"])
    if at >= (2, 26):
        server.set_tags(["blue"])
        assert server.tag_list() == ["blue"]
        server.delete_all_tags()
    for act, status in (
        (server.pause, "PAUSED"), (server.unpause, "ACTIVE"), (server.suspend, "SUSPENDED"), (server.resume, "ACTIVE"), (server.stop, "SHUTOFF"),
        (server.start, "ACTIVE"), (server.rescue, "RESCUE"), (server.unrescue, "ACTIVE"), (server.lock, "ACTIVE"), (server.unlock, "ACTIVE"),
        (server.reboot, "ACTIVE"), (server.migrate, "VERIFY_RESIZE"), (server.confirm_resize, "ACTIVE"), (server.shelve, "SHELVED_OFFLOADED"),
        (server.unshelve, "ACTIVE"),
    ):
        act()
        embedded.wait(server.id, status)
    server.resize(needs.larger)
    embedded.wait(server.id, "VERIFY_RESIZE")
    server.revert_resize()
    embedded.wait(server.id, "ACTIVE")
    assert nova.glance.find_image(server.create_image("v-image")).name == "v-image"
    embedded.wait(server.id, "ACTIVE")
    server.backup("v-backup", "daily", 1)
    embedded.wait(server.id, "ACTIVE")
    server.rebuild(needs.image)
    embedded.wait(server.id, "ACTIVE")
    server.change_password("secret")
    embedded.wait(server.id, "ACTIVE")
    assert "login" in server.get_console_output()
    assert "token" in str(server.get_vnc_console("novnc"))
    assert server.diagnostics()[1]
    assert server.networks["v"]
    attached = server.interface_attach(None, needs.network, None)
    assert attached.port_id in {one.port_id for one in server.interface_list()}
    server.interface_detach(attached.port_id)
    until("one interface", lambda: len(server.interface_list()) == 1, 20)
    actions = nova.instance_action.list(server)
    assert actions[-1].action == "create"
    assert nova.instance_action.get(server, actions[0].request_id).events
    assert "default" in {one.name for one in server.list_security_group()}
    assert nova.volumes.get_server_volumes(server.id) == []
    if at >= (2, 23):
        assert nova.server_migrations.list(server) == []
    if at >= (2, 78):
        assert server.topology()["nodes"] == []
    server.delete()
    embedded.wait_gone(server.id)


def test_novaclient_with_the_rest(nova: Any, embedded: Cloud, needs: Needs):
    at = number(nova.api_version.get_string())
    nova.keypairs.create("n", KEY)
    assert [one.name for one in nova.keypairs.list()] == ["n"]
    nova.keypairs.delete("n")
    group = nova.server_groups.create("n", "affinity" if at >= (2, 64) else ["affinity"])
    assert [one.id for one in nova.server_groups.list()] == [group.id]
    nova.server_groups.delete(group.id)
    flavor = nova.flavors.create("n", 64, 1, 1, is_public=False)
    flavor.set_keys({"hw:boot_menu": "true"})
    assert flavor.get_keys() == {"hw:boot_menu": "true"}
    flavor.unset_keys(["hw:boot_menu"])
    project = embedded.admin.identity.find_project("demo").id
    nova.flavor_access.add_tenant_access(flavor, project)
    assert [one.tenant_id for one in nova.flavor_access.list(flavor=flavor)] == [project]
    nova.flavor_access.remove_tenant_access(flavor, project)
    assert flavor.id in {one.id for one in nova.flavors.list(is_public=None)}
    flavor.delete()
    [host, *_] = sorted(one.service["host"] for one in nova.hypervisors.list())
    assert nova.hypervisors.search(host)
    assert nova.hypervisors.statistics().count == 2 if at < (2, 88) else True
    aggregate = nova.aggregates.create("n", "n-zone")
    aggregate.add_host(host)
    aggregate.set_metadata({"a": "b"})
    assert nova.aggregates.get(aggregate.id).hosts == [host]
    aggregate.remove_host(host)
    aggregate.delete()
    assert {one.zoneName for one in nova.availability_zones.list()} >= {"nova", "internal"}
    [service] = nova.services.list(host=host, binary="nova-compute")
    if at >= (2, 53):
        nova.services.disable_log_reason(service.id, "broken")
        nova.services.enable(service.id)
    else:
        nova.services.disable_log_reason(host, "nova-compute", "broken")
        nova.services.enable(host, "nova-compute")
    nova.quotas.update(project, cores=7)
    assert nova.quotas.get(project, detail=True).cores["limit"] == 7
    nova.quotas.delete(project)
    assert nova.quotas.defaults(project).cores == 20
    assert nova.quota_classes.get("default").cores == 20
    assert {one.name for one in nova.limits.get().absolute} >= {"maxTotalCores", "totalCoresUsed"}
    assert isinstance(nova.usage.list(datetime(2026, 1, 1), datetime(2056, 1, 1)), list)  # noqa: DTZ001  (novaclient wants it so)
    assert isinstance(nova.migrations.list(), list)
    assert nova.versions.get_current().version == "2.104"
