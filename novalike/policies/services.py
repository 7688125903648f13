"""Services, hypervisors and zones: for administrators, except the names of zones."""

from __future__ import annotations

from novalike.policies.base import ADMIN, ANYONE, operation

_HYPERVISORS = "os_compute_api:os-hypervisors"
RULES = [
    operation("os_compute_api:os-services:list", ADMIN, "List services.", ("GET", "/os-services")),
    operation(
        "os_compute_api:os-services:update", ADMIN, "Enable, disable or force down a compute service.",
        ("PUT", "/os-services/{id}"), ("PUT", "/os-services/enable"), ("PUT", "/os-services/disable"),
        ("PUT", "/os-services/disable-log-reason"), ("PUT", "/os-services/force-down"),
    ),
    operation("os_compute_api:os-services:delete", ADMIN, "Forget a service.", ("DELETE", "/os-services/{id}")),
    operation(f"{_HYPERVISORS}:list", ADMIN, "List hypervisors.", ("GET", "/os-hypervisors")),
    operation(f"{_HYPERVISORS}:list-detail", ADMIN, "List hypervisors in detail.", ("GET", "/os-hypervisors/detail")),
    operation(f"{_HYPERVISORS}:statistics", ADMIN, "Sum up all hypervisors.", ("GET", "/os-hypervisors/statistics")),
    operation(f"{_HYPERVISORS}:show", ADMIN, "Show a hypervisor.", ("GET", "/os-hypervisors/{id}")),
    operation(f"{_HYPERVISORS}:uptime", ADMIN, "Show how long a hypervisor is up.", ("GET", "/os-hypervisors/{id}/uptime")),
    operation(f"{_HYPERVISORS}:search", ADMIN, "Find hypervisors by name.", ("GET", "/os-hypervisors/{id}/search")),
    operation(f"{_HYPERVISORS}:servers", ADMIN, "List the servers of hypervisors by name.", ("GET", "/os-hypervisors/{id}/servers")),
    operation("os_compute_api:os-availability-zone:list", ANYONE, "List zones.", ("GET", "/os-availability-zone")),
    operation(
        "os_compute_api:os-availability-zone:detail", ADMIN, "List zones with their hosts and services.",
        ("GET", "/os-availability-zone/detail"),
    ),
]
