"""Servers: who may create, see and change them."""

from __future__ import annotations

from novalike.policies.base import ADMIN, MEMBER_OR_ADMIN, READER_OR_ADMIN, operation

_BASE = "os_compute_api:servers"
_ACTION = "/servers/{id}/action"
_SEEN = (("GET", "/servers/{id}"), ("GET", "/servers/detail"), ("PUT", "/servers/{id}"))

RULES = [
    operation(f"{_BASE}:index", READER_OR_ADMIN, "List servers.", ("GET", "/servers")),
    operation(f"{_BASE}:detail", READER_OR_ADMIN, "List servers in detail.", ("GET", "/servers/detail")),
    operation(f"{_BASE}:index:get_all_tenants", ADMIN, "List servers of all projects.", ("GET", "/servers")),
    operation(f"{_BASE}:detail:get_all_tenants", ADMIN, "List servers of all projects in detail.", ("GET", "/servers/detail")),
    operation(
        f"{_BASE}:allow_all_filters", ADMIN, "Use every filter when listing servers.",
        ("GET", "/servers"), ("GET", "/servers/detail"),
    ),
    operation(f"{_BASE}:show", READER_OR_ADMIN, "Show a server.", ("GET", "/servers/{id}")),
    operation(f"{_BASE}:show:host_status", ADMIN, "Show the state of a server's host.", *_SEEN),
    operation(f"{_BASE}:show:host_status:unknown-only", ADMIN, "Show the state of a server's host when it is UNKNOWN.", *_SEEN),
    operation(f"{_BASE}:show:flavor-extra-specs", READER_OR_ADMIN, "Show the extra specs of a server's flavor.", *_SEEN),
    operation(f"{_BASE}:create", MEMBER_OR_ADMIN, "Create servers.", ("POST", "/servers")),
    operation(f"{_BASE}:create:forced_host", ADMIN, "Create a server on a host, past all filters.", ("POST", "/servers")),
    operation("compute:servers:create:requested_destination", ADMIN, "Ask for a server's host, with all filters.", ("POST", "/servers")),
    operation(f"{_BASE}:create:attach_volume", MEMBER_OR_ADMIN, "Create a server with volumes.", ("POST", "/servers")),
    operation(f"{_BASE}:create:attach_network", MEMBER_OR_ADMIN, "Create a server with networks.", ("POST", "/servers")),
    operation(f"{_BASE}:create:trusted_certs", MEMBER_OR_ADMIN, "Create a server of a signed image.", ("POST", "/servers")),
    operation(f"{_BASE}:create:zero_disk_flavor", ADMIN, "Create a server whose flavor's disk has size 0.", ("POST", "/servers")),
    operation(
        f"{_BASE}:rebuild:trusted_certs", MEMBER_OR_ADMIN, "Rebuild a server of a signed image.", ("POST", f"{_ACTION} (rebuild)"),
    ),
    operation("network:attach_external_network", ADMIN, "Attach a server to an external network.", ("POST", "/servers")),
    operation(f"{_BASE}:update", MEMBER_OR_ADMIN, "Change a server's names and addresses.", ("PUT", "/servers/{id}")),
    operation(f"{_BASE}:delete", MEMBER_OR_ADMIN, "Delete a server.", ("DELETE", "/servers/{id}")),
    operation("os_compute_api:os-extended-server-attributes", ADMIN, "See a server's host and other inner attributes.", *_SEEN),
    *(
        operation(f"{_BASE}:{name}", MEMBER_OR_ADMIN, description, ("POST", f"{_ACTION} ({word})"))
        for name, word, description in (
            ("start", "os-start", "Start a server."),
            ("stop", "os-stop", "Stop a server."),
            ("reboot", "reboot", "Reboot a server."),
            ("confirm_resize", "confirmResize", "Confirm a resize."),
            ("revert_resize", "revertResize", "Revert a resize."),
            ("resize", "resize", "Resize a server."),
            ("rebuild", "rebuild", "Rebuild a server."),
            ("create_image", "createImage", "Make an image of a server."),
            ("trigger_crash_dump", "trigger_crash_dump", "Have a server dump its memory."),
        )
    ),
]
