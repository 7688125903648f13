"""/extensions: the aliases which clients of v2 looked for. Frozen; lists those whose feature is here."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.http.query import Query
from novalike.api.services import ApiServices
from novalike.exception import NotFound

_RULE = "os_compute_api:extensions"
_NO_QUERY = Query({}, unknown="2.102")
#: When Nova froze the list.
_UPDATED = "2014-12-03T00:00:00Z"

#: Alias -> name, description.
_EXTENSIONS: dict[str, tuple[str, str]] = {
    "OS-DCF": ("DiskConfig", "Disk management extension."),
    "OS-EXT-AZ": ("ExtendedAvailabilityZone", "Extended availability zone support."),
    "OS-EXT-SRV-ATTR": ("ExtendedServerAttributes", "Extended server attributes support."),
    "OS-EXT-STS": ("ExtendedStatus", "Extended status support."),
    "OS-FLV-DISABLED": ("FlavorDisabled", "Support to show the disabled status of a flavor."),
    "OS-FLV-EXT-DATA": ("FlavorExtraData", "Provide additional data for flavors."),
    "OS-SCH-HNT": ("SchedulerHints", "Pass arbitrary key/value pairs to the scheduler."),
    "OS-SRV-USG": ("ServerUsage", "Adds launched_at and terminated_at to servers."),
    "os-aggregates": ("Aggregates", "Admin-only aggregate administration."),
    "os-availability-zone": ("AvailabilityZone", "Show availability zones, and ask for one when a server is created."),
    "os-config-drive": ("ConfigDrive", "Config drive extension."),
    "os-console-output": ("ConsoleOutput", "Console log output support, with tailing ability."),
    "os-extended-quotas": ("ExtendedQuotas", "Adds the ability to delete quotas and to force their update."),
    "os-extended-services": ("ExtendedServices", "Extended services support."),
    "os-extended-services-delete": ("ExtendedServicesDelete", "Extended services deletion support."),
    "os-flavor-access": ("FlavorAccess", "Flavor access support."),
    "os-flavor-extra-specs": ("FlavorExtraSpecs", "Flavors extra specs support."),
    "os-flavor-manage": ("FlavorManage", "Flavor create/delete API support."),
    "os-flavor-rxtx": ("FlavorRxtx", "Support to show the rxtx status of a flavor."),
    "os-flavor-swap": ("FlavorSwap", "Support to show the swap status of a flavor."),
    "os-hypervisor-status": ("HypervisorStatus", "Show hypervisor status."),
    "os-hypervisors": ("Hypervisors", "Admin-only hypervisor administration."),
    "os-instance-actions": ("InstanceActions", "View a log of actions and events taken on an instance."),
    "os-keypairs": ("Keypairs", "Keypair support."),
    "os-migrations": ("Migrations", "Provide data on migrations."),
    "os-multiple-create": ("MultipleCreate", "Allow multiple create in the create server API."),
    "os-quota-class-sets": ("QuotaClasses", "Quota classes management support."),
    "os-quota-sets": ("Quotas", "Quotas management support."),
    "os-server-group-quotas": ("ServerGroupQuotas", "Adds quota support to server groups."),
    "os-server-start-stop": ("ServerStartStop", "Start/Stop instance compute API support."),
    "os-services": ("Services", "Services support."),
    "os-simple-tenant-usage": ("SimpleTenantUsage", "Simple tenant usage extension."),
    "os-used-limits": ("UsedLimits", "Provide data on limited resources that are being used."),
    "os-used-limits-for-admin": ("UsedLimitsForAdmin", "Provide data to admin on limited resources used by other tenants."),
    "os-user-data": ("UserData", "Add user_data to the create server API."),
    "os-user-quotas": ("UserQuotas", "Project user quota support."),
}


def _shown(alias: str) -> dict[str, Any]:
    name, description = _EXTENSIONS[alias]
    return {
        "alias": alias, "name": name, "description": description, "links": [], "updated": _UPDATED,
        "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
    }


def _index(_request: Request) -> dict[str, Any]:
    return {"extensions": [_shown(alias) for alias in sorted(_EXTENSIONS)]}


def _show(request: Request) -> dict[str, Any]:
    alias = request.path_args["id"]
    if alias not in _EXTENSIONS:
        raise NotFound("The resource could not be found.")
    return {"extension": _shown(alias)}


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of extensions."""
    return (
        Route(method="GET", path="/extensions", handler=_index, rule=_RULE, query=_NO_QUERY),
        Route(method="GET", path="/extensions/{id}", handler=_show, rule=_RULE, query=_NO_QUERY),
    )
