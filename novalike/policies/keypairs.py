"""Key pairs: of the caller, and of anybody for administrators."""

from __future__ import annotations

from novalike.policies.base import OWN_USER_OR_ADMIN, operation

RULES = [
    operation("os_compute_api:os-keypairs:index", OWN_USER_OR_ADMIN, "List a user's key pairs.", ("GET", "/os-keypairs")),
    operation("os_compute_api:os-keypairs:create", OWN_USER_OR_ADMIN, "Import or generate a key pair.", ("POST", "/os-keypairs")),
    operation("os_compute_api:os-keypairs:show", OWN_USER_OR_ADMIN, "Show a key pair.", ("GET", "/os-keypairs/{id}")),
    operation("os_compute_api:os-keypairs:delete", OWN_USER_OR_ADMIN, "Delete a key pair.", ("DELETE", "/os-keypairs/{id}")),
]
