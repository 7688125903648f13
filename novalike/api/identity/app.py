"""The local identity service's API: Keystone v3 as stock clients use it."""

from __future__ import annotations

from novalike.api.http.application import Application
from novalike.api.identity import discovery
from novalike.api.identity.auth import Auth
from novalike.api.identity.catalog import Endpoints, Regions, Services
from novalike.api.identity.credentials import ApplicationCredentials, Ec2Credentials
from novalike.api.identity.dialect import IdentityDialect
from novalike.api.identity.projects import Domains, Projects
from novalike.api.identity.roles import Assignments, Grants, Roles
from novalike.api.identity.users import Groups, Users
from novalike.api.services import ApiServices
from novalike.identity.local.service import LocalIdentity

_RESOURCES = (
    Auth, Domains, Projects, Users, Groups, Roles, Grants, Assignments, Regions, Services, Endpoints, ApplicationCredentials,
    Ec2Credentials,
)


def application(services: ApiServices) -> Application:
    """Build the API over `services.local["identity"]`. It expects the authentication middleware around it.

    Raises ValueError when a route names an unknown policy rule.
    """
    identity: LocalIdentity = services.local["identity"]
    routes = [*discovery.routes(), *(route for resource in _RESOURCES for route in resource(identity).routes())]
    return Application(
        "identity", routes, dialect=IdentityDialect(), enforcer=services.enforcer,
        link_prefix=services.conf.identity.public_endpoint,
    )
