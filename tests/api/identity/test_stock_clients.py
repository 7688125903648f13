"""keystoneauth1, openstacksdk and the stock auth_token middleware against our identity API on a socket."""

from __future__ import annotations

from dataclasses import replace

import openstack
import pytest
from keystoneauth1 import loading
from keystoneauth1.identity.v3 import ApplicationCredential, Password
from keystoneauth1.session import Session
from oslo_config import cfg
from webob import Request, Response

from novalike.api.http.application import CONTEXT_KEY
from novalike.api.middleware.pipeline import behind_authentication
from novalike.identity.keystone import KeystoneIdentityClient
from tests.fakes.loopback import serve

# openstacksdk warns of itself at every turn.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


@pytest.fixture
def url(app):
    with serve(app) as address:
        yield f"{address}/v3"


@pytest.fixture
def cloud(url, services, identity):
    identity.bootstrap(admin_password="secret", endpoints={"identity": url})
    with openstack.connect(
        auth_url=url, username="admin", password="secret", project_name="admin", user_domain_id="default",
        project_domain_name="Default", region_name="RegionOne", load_yaml_config=False, load_envvars=False,
    ) as connection:
        yield connection


def test_openstacksdk_manages_accounts(cloud):
    assert {service["type"] for service in cloud.service_catalog} >= {"identity", "compute"}
    project = cloud.identity.create_project(name="lab", description="a lab", domain_id="default")
    user = cloud.identity.create_user(name="eve", password="pw", default_project_id=project.id)
    role = cloud.identity.find_role("member", ignore_missing=False)
    cloud.identity.assign_project_role_to_user(project, user, role)
    assert cloud.identity.validate_user_has_project_role(project, user, role)
    assert [p.name for p in cloud.identity.user_projects(user)] == ["lab"]
    assert cloud.identity.find_project("lab").description == "a lab"
    eve = cloud.connect_as(username="eve", password="pw", project_name="lab")
    assert eve.current_project_id == project.id
    cloud.identity.update_user(user, is_enabled=False)
    cloud.identity.delete_user(user)
    cloud.identity.delete_project(project)
    assert cloud.identity.find_user("eve") is None


def test_keystoneauth_with_application_credential(cloud, url):
    user = cloud.current_user_id
    made = cloud.identity.create_application_credential(user, name="robot")
    session = Session(ApplicationCredential(auth_url=url, application_credential_id=made.id, application_credential_secret=made.secret))
    assert session.get_project_id() == cloud.current_project_id
    assert session.get_endpoint(service_type="compute", interface="public", region_name="RegionOne")


def test_remote_client_asks_keystone(cloud, url, services):
    services.conf.set_override("valid_interfaces", ["public"], group="keystone")
    session = Session(Password(auth_url=url, username="admin", password="secret", project_name="admin",
                               user_domain_id="default", project_domain_id="default"))
    client = KeystoneIdentityClient(session, services.conf.keystone)
    assert client.project_exists(cloud.current_project_id)
    assert not client.project_exists("0" * 32)
    assert client.user_exists(cloud.current_user_id)


def test_stock_auth_token_understands_our_tokens(services, url, cloud):
    """The drop-in shape, with our own API in Keystone's place."""
    conf = cfg.ConfigOpts()
    conf([], project="novalike", default_config_files=[])
    for group_options in (loading.get_auth_common_conf_options(), loading.get_auth_plugin_conf_options("password")):
        conf.register_opts(group_options, group="keystone_authtoken")
    for name, value in {
        "auth_type": "password", "auth_url": url, "username": "admin", "password": "secret", "project_name": "admin",
        "user_domain_id": "default", "project_domain_id": "default",
    }.items():
        conf.set_override(name, value, group="keystone_authtoken")
    seen = []

    def inner(environ, start_response):
        seen.append(environ[CONTEXT_KEY])
        return Response(status=200)(environ, start_response)
    remote = replace(services, conf=conf, local={})
    app = behind_authentication(inner, remote, service_type="compute")
    Request.blank("/servers", headers={"X-Auth-Token": cloud.auth_token}).get_response(app)
    assert seen[0].user_id == cloud.current_user_id
    assert seen[0].roles == ("admin", "manager", "member", "reader")
    Request.blank("/servers", headers={"X-Auth-Token": "rubbish"}).get_response(app)
    assert seen[1].user_id is None


