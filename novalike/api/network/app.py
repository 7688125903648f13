"""The local network service's API: Neutron v2.0 as stock clients use it."""

from __future__ import annotations

from novalike.api.http.application import Application
from novalike.api.network import discovery, resources, routers, security_groups, subnet_pools, tags
from novalike.api.network.dialect import NetworkDialect
from novalike.api.network.quotas import Quotas
from novalike.api.services import ApiServices
from novalike.network.local.service import LocalNetworks

#: Bulk creation of a thousand ports fits.
MAX_BODY = 1024 * 1024


def application(services: ApiServices) -> Application:
    """Build the API over `services.local["network"]`. It expects the authentication middleware around it.

    Raises ValueError when a route names an unknown policy rule.
    """
    local: LocalNetworks = services.local["network"]
    routes = [
        *discovery.routes(services), *tags.routes(local), *resources.routes(local), *routers.routes(local), *subnet_pools.routes(local),
        *security_groups.routes(local), *Quotas(local).routes(),
    ]
    return Application(
        "network", routes, dialect=NetworkDialect(), enforcer=services.enforcer, max_body=MAX_BODY,
        link_prefix=services.conf.network.link_prefix, any_media=True,   # as Neutron
    )
