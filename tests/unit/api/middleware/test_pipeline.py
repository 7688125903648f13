"""What an API sees of a request: who asks, vouched for by whom, under which id."""

from __future__ import annotations

from dataclasses import replace

import pytest
from webob import Request, Response

from novalike.api.http.application import CONTEXT_KEY
from novalike.api.middleware.auth import expanded
from novalike.api.middleware.pipeline import behind_authentication
from novalike.clock import Clock
from novalike.db import identity as db
from novalike.db.cells import Cells
from novalike.exception import Unavailable
from novalike.identity.local.service import LocalIdentity
from novalike.objects.identity import Project, Role, RoleAssignment, User
from tests.fakes import services as fakes


@pytest.fixture
def services(sqlite):
    made = fakes.services(sqlite, clock=Clock(), identity__password_hash_rounds=4)
    identity = LocalIdentity(made.conf, Cells.single(sqlite), made.clock)
    identity.bootstrap(admin_password="secret", demo_password="demo")
    return replace(made, local={"identity": identity})


@pytest.fixture
def identity(services):
    return services.local["identity"]


@pytest.fixture
def ask(services):
    """Send a request with headers; answer the context which the API saw and the response."""
    seen = []

    def inner(environ, start_response):
        seen.append(environ[CONTEXT_KEY])
        known = environ[CONTEXT_KEY].user_id is not None         # else it answers as our dialects do
        response = Response() if known else Response(status=401, headers={"WWW-Authenticate": 'Keystone uri=""'})
        return response(environ, start_response)
    app = behind_authentication(inner, services, service_type="compute")

    def send(**headers):
        request = Request.blank("/", headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = request.get_response(app)
        return (seen.pop() if seen else None), response
    return send


def token(identity, name, password):
    auth = {
        "identity": {"methods": ["password"], "password": {"user": {"name": name, "domain": {"id": "default"}, "password": password}}},
        "scope": {"project": {"name": name, "domain": {"id": "default"}}},
    }
    return identity.authentication.log_in(auth)[0]


def test_caller_is_who_the_token_says(ask, identity):
    context, _ = ask(X_Auth_Token=token(identity, "demo", "demo"), X_User_Id="somebody-else", X_Roles="admin")
    assert (context.user_name, context.project_name) == ("demo", "demo")
    assert context.roles == ("member", "reader")
    assert not context.is_admin
    assert context.user_domain_id == context.project_domain_id == "default"


def test_no_token_is_an_empty_caller_and_401_names_the_identity_service(ask):
    context, response = ask(X_User_Id="root", X_Roles="admin", X_Identity_Status="Confirmed", OpenStack_System_Scope="all")
    assert context.user_id is None
    assert context.system_scope is None
    assert response.headers.getall("WWW-Authenticate") == ['Keystone uri="http://127.0.0.1:5000/v3"']


def test_service_token_vouches_only_with_the_service_role(ask, identity):
    demo, admin = token(identity, "demo", "demo"), token(identity, "admin", "secret")
    context, _ = ask(X_Auth_Token=demo, X_Service_Token=admin)
    assert context.service_roles == ()
    [user], [project] = identity.read(db.listing, User, name="admin"), identity.read(db.listing, Project, name="admin")
    [role] = identity.read(db.listing, Role, name="service")
    identity.write(db.grant, RoleAssignment(
        actor_type="user", actor_id=user.id, target_type="project", target_id=project.id, role_id=role.id))
    context, _ = ask(X_Auth_Token=demo, X_Service_Token=admin)
    assert "service" in context.service_roles
    assert context.user_name == "demo"


def test_request_ids(ask):
    sent = "req-12345678-1234-1234-1234-123456789abc"
    context, response = ask(X_OpenStack_Request_Id=sent)
    assert context.global_request_id == sent
    assert context.request_id == response.headers["X-Openstack-Request-Id"] != sent
    context, _ = ask(X_OpenStack_Request_Id="req-<script>")
    assert context.global_request_id is None


def test_database_away_is_503_and_not_a_wish_to_log_in_again(ask, identity):
    def away(token, *, allow_expired=False):
        raise Unavailable("The database does not answer.")
    identity.tokens.validate = away
    _, response = ask(X_Auth_Token="anything")
    assert response.status_int == 503


def test_roles_imply_others():
    assert expanded(["Admin"]) == ("admin", "manager", "member", "reader")
    assert expanded(["auditor"]) == ("auditor",)
