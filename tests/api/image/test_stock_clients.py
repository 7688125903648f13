"""openstacksdk, and our own Glance client, against our image API on a socket."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack

import openstack
import pytest
import requests
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from novalike.api.identity.app import application as identity_application
from novalike.api.middleware.pipeline import behind_authentication
from novalike.context import RequestContext
from novalike.exception import Invalid, NotFound
from novalike.image.glance import GlanceImageClient
from novalike.image.local.client import LocalImageClient
from novalike.objects.image import Image
from tests.fakes.loopback import serve

# openstacksdk warns of itself at every turn.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


@pytest.fixture
def urls(guarded, services):
    with ExitStack() as stack:
        identity = stack.enter_context(serve(behind_authentication(identity_application(services), services, service_type="identity")))
        image = stack.enter_context(serve(guarded))
        services.conf.set_override("image", image, group="endpoints")
        services.local["identity"].bootstrap(admin_password="secret", endpoints={"identity": f"{identity}/v3", "image": image})
        yield {"identity": f"{identity}/v3", "image": image}


@pytest.fixture
def cloud(urls):
    with openstack.connect(
        auth_url=urls["identity"], username="demo", password="demo", project_name="demo", user_domain_id="default",
        project_domain_id="default", region_name="RegionOne", load_yaml_config=False, load_envvars=False,
    ) as connection:
        yield connection


def test_openstacksdk_round_trip(cloud):
    content = bytes(range(256)) * 10000
    made = cloud.image.create_image(
        "disk", data=content, disk_format="raw", container_format="bare", visibility="private",
        hw_disk_bus="virtio", tags=["t"], wait=True, validate_checksum=True,
    )
    shown = cloud.image.get_image(made.id)
    assert (shown.status, shown.size, shown.hash_value) == ("active", len(content), hashlib.sha512(content).hexdigest())
    assert shown.hw_disk_bus == "virtio"
    assert cloud.image.download_image(made.id).content == content
    cloud.image.update_image(made.id, name="renamed", min_ram=64, own="x")
    assert cloud.image.find_image("renamed").properties["own"] == "x"
    assert [image.id for image in cloud.image.images(limit=1)] == [made.id]
    cloud.image.add_tag(made.id, "more")
    with pytest.raises(openstack.exceptions.HttpException, match="disk_format qcow2"):
        cloud.image.create_image("wrong", data=content, disk_format="qcow2", wait=True)
    cloud.image.delete_image(made.id)
    assert cloud.image.find_image("renamed") is None


def test_openstacksdk_imports(cloud):
    made = cloud.image.create_image("staged", data=b"bytes", disk_format="raw", container_format="bare", use_import=True, wait=True)
    assert cloud.image.get_image(made.id).status == "active"


def test_hypervisor_fetches_by_ticket(cloud, images):
    made = cloud.image.create_image("disk", data=b"bytes", disk_format="raw", container_format="bare", wait=True)
    caller = RequestContext(user_id="u", project_id=cloud.current_project_id, roles=("member",))
    source = LocalImageClient(images).source(caller, images.get(caller, made.id))
    assert requests.get(source.url, headers=source.headers, timeout=10).content == b"bytes"
    assert requests.get(source.url, timeout=10).status_code == 401


def test_our_glance_client(urls, services):
    session = Session(Password(auth_url=urls["identity"], username="admin", password="secret", project_name="admin",
                               user_domain_id="default", project_domain_id="default"))
    services.conf.set_override("valid_interfaces", ["public"], group="glance")
    client = GlanceImageClient(session, services.conf.glance)
    alice = RequestContext(user_id="a", project_id="alice", roles=("member",))
    bob = RequestContext(user_id="b", project_id="bob", roles=("member",))
    made = client.create(alice, Image(
        id="11111111-1111-4111-8111-111111111111", name="snapshot", disk_format="qcow2", container_format="bare",
        properties={"instance_uuid": "i"},
    ))
    assert (made.status, made.owner, made.properties["instance_uuid"]) == ("queued", "alice", "i")
    with pytest.raises(Invalid, match="disk_format"):
        client.upload(alice, made.id, [b"no qcow2"])
    assert [image.id for image in client.list(alice, properties={"instance_uuid": "i"})] == [made.id]
    assert client.list(alice, properties={"instance_uuid": "other"}) == []
    assert client.declare(alice, made.id, disk_format="vdi", container_format="bare").disk_format == "vdi"
    assert client.target(alice, made).url.endswith(f"/v2/images/{made.id}/file")
    assert client.set_properties(alice, made.id, {"a": "1", "c~d": "2"}).properties == {"a": "1", "c~d": "2"}
    assert client.set_properties(alice, made.id, {"c~d": "3"}).properties == {"c~d": "3"}
    with pytest.raises(NotFound):
        client.set_properties(bob, made.id, {})
    client.delete(alice, made.id)
    made = client.create(alice, Image(id="22222222-2222-4222-8222-222222222222", disk_format="raw", container_format="bare"))
    with pytest.raises(NotFound):
        client.get(bob, made.id)
    assert [image.id for image in client.list(alice)] == [made.id]
    assert client.list(bob) == []
    with pytest.raises(NotFound):
        client.get(alice, "unknown")
