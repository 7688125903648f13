"""Metadata, tags and addresses of servers."""

from __future__ import annotations

from novalike.policies.base import MEMBER_OR_ADMIN, READER_OR_ADMIN, operation

_METADATA, _TAGS, _IPS = (f"/servers/{{server_id}}/{word}" for word in ("metadata", "tags", "ips"))

RULES = [
    operation(f"os_compute_api:{name}", READER_OR_ADMIN if method == "GET" else MEMBER_OR_ADMIN, description, (method, path))
    for name, method, path, description in (
        ("server-metadata:index", "GET", _METADATA, "List a server's metadata."),
        ("server-metadata:show", "GET", f"{_METADATA}/{{id}}", "Show one metadata item of a server."),
        ("server-metadata:create", "POST", _METADATA, "Add metadata items to a server."),
        ("server-metadata:update_all", "PUT", _METADATA, "Replace a server's metadata."),
        ("server-metadata:update", "PUT", f"{_METADATA}/{{id}}", "Set one metadata item of a server."),
        ("server-metadata:delete", "DELETE", f"{_METADATA}/{{id}}", "Remove a metadata item of a server."),
        ("os-server-tags:index", "GET", _TAGS, "List a server's tags."),
        ("os-server-tags:show", "GET", f"{_TAGS}/{{id}}", "Tell whether a server has a tag."),
        ("os-server-tags:update_all", "PUT", _TAGS, "Replace a server's tags."),
        ("os-server-tags:update", "PUT", f"{_TAGS}/{{id}}", "Add a tag to a server."),
        ("os-server-tags:delete_all", "DELETE", _TAGS, "Remove all tags of a server."),
        ("os-server-tags:delete", "DELETE", f"{_TAGS}/{{id}}", "Remove a tag of a server."),
        ("ips:index", "GET", _IPS, "List a server's addresses."),
        ("ips:show", "GET", f"{_IPS}/{{id}}", "List a server's addresses on one network."),
    )
]
