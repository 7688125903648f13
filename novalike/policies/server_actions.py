"""Actions on servers whose rules are not `os_compute_api:servers:*`."""

from __future__ import annotations

from novalike.policies.base import ADMIN, MANAGER_OR_ADMIN, MEMBER_OR_ADMIN, READER_OR_ADMIN, operation

_ACTION = "/servers/{id}/action"
_API = "os_compute_api"

RULES = [
    operation(f"{_API}:{name}", check, description, *(("POST", f"{_ACTION} ({word})") for word in words.split()))
    for name, check, words, description in (
        ("os-admin-actions:reset_state", ADMIN, "os-resetState", "Set a server's state by hand."),
        ("os-admin-actions:inject_network_info", ADMIN, "injectNetworkInfo", "Push network information into a guest."),
        ("os-admin-password", MEMBER_OR_ADMIN, "changePassword", "Change a guest's admin password."),
        ("os-console-output", MEMBER_OR_ADMIN, "os-getConsoleOutput", "Read a server's console log."),
        ("os-create-backup", MEMBER_OR_ADMIN, "createBackup", "Make a rotated image of a server."),
        ("os-deferred-delete:restore", MEMBER_OR_ADMIN, "restore", "Restore a soft-deleted server."),
        ("os-deferred-delete:force", MEMBER_OR_ADMIN, "forceDelete", "Delete a server at once, in any state."),
        ("os-evacuate", ADMIN, "evacuate", "Rebuild a server of a host which is down."),
        ("os-floating-ips:add", MEMBER_OR_ADMIN, "addFloatingIp", "Give a server a floating IP."),
        ("os-floating-ips:remove", MEMBER_OR_ADMIN, "removeFloatingIp", "Take a floating IP from a server."),
        ("os-lock-server:lock", MEMBER_OR_ADMIN, "lock", "Lock a server."),
        ("os-lock-server:unlock", MEMBER_OR_ADMIN, "unlock", "Unlock a server."),
        ("os-lock-server:unlock:unlock_override", ADMIN, "unlock", "Unlock a server which somebody else locked."),
        ("os-migrate-server:migrate", MANAGER_OR_ADMIN, "migrate", "Move a server to another host, powered off."),
        ("os-migrate-server:migrate:host", ADMIN, "migrate", "Move a server to a named host, powered off."),
        ("os-migrate-server:migrate_live", MANAGER_OR_ADMIN, "os-migrateLive", "Move a running server."),
        ("os-migrate-server:migrate_live:host", ADMIN, "os-migrateLive", "Move a running server to a named host."),
        ("os-multinic:add", MEMBER_OR_ADMIN, "addFixedIp", "Give a server a fixed IP."),
        ("os-multinic:remove", MEMBER_OR_ADMIN, "removeFixedIp", "Take a fixed IP from a server."),
        ("os-pause-server:pause", MEMBER_OR_ADMIN, "pause", "Pause a server."),
        ("os-pause-server:unpause", MEMBER_OR_ADMIN, "unpause", "Unpause a server."),
        (
            "os-remote-consoles", MEMBER_OR_ADMIN, "os-getVNCConsole os-getSPICEConsole os-getRDPConsole os-getSerialConsole",
            "Open a server's console.",
        ),
        ("os-rescue", MEMBER_OR_ADMIN, "rescue", "Boot a server from a rescue image."),
        ("os-unrescue", MEMBER_OR_ADMIN, "unrescue", "Boot a rescued server from its own disk again."),
        ("os-security-groups:add", MEMBER_OR_ADMIN, "addSecurityGroup", "Add a security group to a server."),
        ("os-security-groups:remove", MEMBER_OR_ADMIN, "removeSecurityGroup", "Remove a security group from a server."),
        ("os-shelve:shelve", MEMBER_OR_ADMIN, "shelve", "Shelve a server."),
        ("os-shelve:shelve_offload", ADMIN, "shelveOffload", "Take a shelved server off its host."),
        ("os-shelve:unshelve", MEMBER_OR_ADMIN, "unshelve", "Unshelve a server."),
        ("os-shelve:unshelve_to_host", ADMIN, "unshelve", "Unshelve a server on a named host."),
        ("os-suspend-server:suspend", MEMBER_OR_ADMIN, "suspend", "Suspend a server."),
        ("os-suspend-server:resume", MEMBER_OR_ADMIN, "resume", "Resume a server."),
    )
] + [
    operation(
        f"{_API}:os-instance-actions:list", READER_OR_ADMIN, "List what was done to a server.",
        ("GET", "/servers/{server_id}/os-instance-actions"),
    ),
    *(
        operation(f"{_API}:os-instance-actions:{name}", check, text, ("GET", "/servers/{server_id}/os-instance-actions/{id}"))
        for name, check, text in (
            ("show", READER_OR_ADMIN, "Show one thing that was done to a server."),
            ("events", ADMIN, "See tracebacks and hosts of an action's events."),
            ("events:details", ADMIN, "See the details of an action's events."),
        )
    ),
]
