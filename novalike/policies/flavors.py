"""Flavors: reading is open to all, changing is for administrators."""

from __future__ import annotations

from novalike.policies.base import ADMIN, ANYONE, READER_OR_ADMIN, operation

RULES = [
    operation(
        "os_compute_api:flavors", ANYONE, "List and show flavors. Private ones only show to projects with access.",
        ("GET", "/flavors"), ("GET", "/flavors/detail"), ("GET", "/flavors/{id}"),
    ),
    operation("os_compute_api:os-flavor-manage:create", ADMIN, "Create a flavor.", ("POST", "/flavors")),
    operation("os_compute_api:os-flavor-manage:update", ADMIN, "Change a flavor's description.", ("PUT", "/flavors/{id}")),
    operation("os_compute_api:os-flavor-manage:delete", ADMIN, "Delete a flavor.", ("DELETE", "/flavors/{id}")),
    operation(
        "os_compute_api:os-flavor-access", ADMIN, "List the projects with access to a private flavor.",
        ("GET", "/flavors/{flavor_id}/os-flavor-access"),
    ),
    operation(
        "os_compute_api:os-flavor-access:add_tenant_access", ADMIN, "Grant a project access to a flavor.",
        ("POST", "/flavors/{id}/action (addTenantAccess)"),
    ),
    operation(
        "os_compute_api:os-flavor-access:remove_tenant_access", ADMIN, "Revoke a project's access to a flavor.",
        ("POST", "/flavors/{id}/action (removeTenantAccess)"),
    ),
    operation(
        "os_compute_api:os-flavor-extra-specs:index", READER_OR_ADMIN,
        "List a flavor's extra specs; also decides whether flavor answers include them.",
        ("GET", "/flavors/{flavor_id}/os-extra_specs"), ("GET", "/flavors/detail"), ("GET", "/flavors/{id}"),
        ("POST", "/flavors"), ("PUT", "/flavors/{id}"),
    ),
    operation(
        "os_compute_api:os-flavor-extra-specs:show", READER_OR_ADMIN, "Show one extra spec.",
        ("GET", "/flavors/{flavor_id}/os-extra_specs/{id}"),
    ),
    operation(
        "os_compute_api:os-flavor-extra-specs:create", ADMIN, "Set extra specs.", ("POST", "/flavors/{flavor_id}/os-extra_specs"),
    ),
    operation(
        "os_compute_api:os-flavor-extra-specs:update", ADMIN, "Set one extra spec.",
        ("PUT", "/flavors/{flavor_id}/os-extra_specs/{id}"),
    ),
    operation(
        "os_compute_api:os-flavor-extra-specs:delete", ADMIN, "Remove one extra spec.",
        ("DELETE", "/flavors/{flavor_id}/os-extra_specs/{id}"),
    ),
]
