"""/extensions: the aliases which clients of v2 looked for. Frozen, as in Nova; without those which it removed since."""

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
    "NMN": ("Multinic", "Add and remove fixed addresses of servers."),
    "OS-DCF": ("DiskConfig", "Disk management extension."),
    "OS-EXT-AZ": ("ExtendedAvailabilityZone", "Extended availability zone support."),
    "OS-EXT-IMG-SIZE": ("ImageSize", "Sizes of images."),
    "OS-EXT-IPS": ("ExtendedIps", "Types of addresses."),
    "OS-EXT-IPS-MAC": ("ExtendedIpsMac", "MAC addresses of ports."),
    "OS-EXT-SRV-ATTR": ("ExtendedServerAttributes", "Extended server attributes support."),
    "OS-EXT-STS": ("ExtendedStatus", "Extended status support."),
    "OS-FLV-DISABLED": ("FlavorDisabled", "Support to show the disabled status of a flavor."),
    "OS-FLV-EXT-DATA": ("FlavorExtraData", "Provide additional data for flavors."),
    "OS-SCH-HNT": ("SchedulerHints", "Pass arbitrary key/value pairs to the scheduler."),
    "OS-SRV-USG": ("ServerUsage", "Adds launched_at and terminated_at to servers."),
    "os-access-ips": ("AccessIPs", "Access addresses of servers."),
    "os-admin-actions": ("AdminActions", "Reset a server's state."),
    "os-admin-password": ("AdminPassword", "Change the administrator's password in a guest."),
    "os-aggregates": ("Aggregates", "Admin-only aggregate administration."),
    "os-assisted-volume-snapshots": ("AssistedVolumeSnapshots", "Snapshots of volumes which need the hypervisor."),
    "os-attach-interfaces": ("AttachInterfaces", "Attach and detach interfaces of servers."),
    "os-availability-zone": ("AvailabilityZone", "Show availability zones, and ask for one when a server is created."),
    "os-block-device-mapping": ("BlockDeviceMapping", "Block devices of new servers."),
    "os-block-device-mapping-v2-boot": ("BlockDeviceMappingV2Boot", "Block devices of new servers, second form."),
    "os-config-drive": ("ConfigDrive", "Config drive extension."),
    "os-console-auth-tokens": ("ConsoleAuthTokens", "Where a console's token leads."),
    "os-console-output": ("ConsoleOutput", "Console log output support, with tailing ability."),
    "os-consoles": ("Consoles", "Consoles of servers."),
    "os-create-backup": ("CreateBackup", "Backups of servers, with rotation."),
    "os-deferred-delete": ("DeferredDelete", "Restore deleted servers, or delete them at once."),
    "os-extended-hypervisors": ("ExtendedHypervisors", "More details of hypervisors."),
    "os-extended-quotas": ("ExtendedQuotas", "Adds the ability to delete quotas and to force their update."),
    "os-extended-rescue-with-image": ("ExtendedRescueWithImage", "Rescue a server with an image of choice."),
    "os-extended-services": ("ExtendedServices", "Extended services support."),
    "os-extended-services-delete": ("ExtendedServicesDelete", "Extended services deletion support."),
    "os-extended-status": ("ExtendedStatus", "Extended status support."),
    "os-extended-volumes": ("ExtendedVolumes", "Volumes of servers."),
    "os-flavor-access": ("FlavorAccess", "Flavor access support."),
    "os-flavor-extra-specs": ("FlavorExtraSpecs", "Flavors extra specs support."),
    "os-flavor-manage": ("FlavorManage", "Flavor create/delete API support."),
    "os-flavor-rxtx": ("FlavorRxtx", "Support to show the rxtx status of a flavor."),
    "os-flavor-swap": ("FlavorSwap", "Support to show the swap status of a flavor."),
    "os-floating-ip-pools": ("FloatingIpPools", "Pools of floating addresses."),
    "os-floating-ips": ("FloatingIps", "Floating addresses."),
    "os-hide-server-addresses": ("HideServerAddresses", "Hide addresses in some states."),
    "os-hosts": ("Hosts", "Admin-only host administration."),
    "os-hypervisor-status": ("HypervisorStatus", "Show hypervisor status."),
    "os-hypervisors": ("Hypervisors", "Admin-only hypervisor administration."),
    "os-instance-actions": ("InstanceActions", "View a log of actions and events taken on an instance."),
    "os-instance_usage_audit_log": ("OSInstanceUsageAuditLog", "Admin-only log of usage audits."),
    "os-keypairs": ("Keypairs", "Keypair support."),
    "os-lock-server": ("LockServer", "Lock and unlock servers."),
    "os-migrate-server": ("MigrateServer", "Migrate servers."),
    "os-migrations": ("Migrations", "Provide data on migrations."),
    "os-multiple-create": ("MultipleCreate", "Allow multiple create in the create server API."),
    "os-networks": ("Networks", "Networks, as compute sees them."),
    "os-pause-server": ("PauseServer", "Pause and unpause servers."),
    "os-personality": ("Personality", "Files for new servers."),
    "os-preserve-ephemeral-rebuild": ("PreserveEphemeralOnRebuild", "Keep ephemeral disks in a rebuild."),
    "os-quota-class-sets": ("QuotaClasses", "Quota classes management support."),
    "os-quota-sets": ("Quotas", "Quotas management support."),
    "os-rescue": ("Rescue", "Rescue servers."),
    "os-security-groups": ("SecurityGroups", "Security group support."),
    "os-server-diagnostics": ("ServerDiagnostics", "What a hypervisor counts of a server."),
    "os-server-external-events": ("ServerExternalEvents", "What other services tell of servers."),
    "os-server-group-quotas": ("ServerGroupQuotas", "Adds quota support to server groups."),
    "os-server-groups": ("ServerGroups", "Server groups support."),
    "os-server-list-multi-status": ("ServerListMultiStatus", "List servers of several states."),
    "os-server-password": ("ServerPassword", "The password which a guest made for itself."),
    "os-server-sort-keys": ("ServerSortKeys", "Sort lists of servers by several keys."),
    "os-server-start-stop": ("ServerStartStop", "Start/Stop instance compute API support."),
    "os-services": ("Services", "Services support."),
    "os-shelve": ("Shelve", "Shelve servers."),
    "os-simple-tenant-usage": ("SimpleTenantUsage", "Simple tenant usage extension."),
    "os-suspend-server": ("SuspendServer", "Suspend and resume servers."),
    "os-tenant-networks": ("TenantNetworks", "A project's networks."),
    "os-used-limits": ("UsedLimits", "Provide data on limited resources that are being used."),
    "os-used-limits-for-admin": ("UsedLimitsForAdmin", "Provide data to admin on limited resources used by other tenants."),
    "os-user-data": ("UserData", "Add user_data to the create server API."),
    "os-user-quotas": ("UserQuotas", "Project user quota support."),
    "os-volume-attachment-update": ("VolumeAttachmentUpdate", "Swap attached volumes."),
    "os-volumes": ("Volumes", "Volumes, as compute sees them."),
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
