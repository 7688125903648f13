"""What novalike remembers of a server's port, where the port is: whether the server's build made it, its place, its device tag.

It stands in the port's binding profile. Of a port which was taken over from a Nova it stands in the port's tags instead: Neutron binds
a port anew whose profile changes, and a guest is using this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from novalike.exception import Unavailable
from novalike.objects.network_info import Vif

OWNED, NIC, TAG = "novalike_owned", "novalike_nic", "novalike_tag"
OURS = (OWNED, NIC, TAG)
#: Sends a request (method, path below /v2.0, query, body) and answers status and JSON.
Send = Callable[[str, str, Mapping[str, Any], Any], tuple[int, Any]]


def of_port(port: Mapping[str, Any]) -> dict[str, Any]:
    """Answer what is remembered of a port, by OWNED (bool), NIC (int) and TAG; keys of which nothing is known are left out."""
    found: dict[str, Any] = {}
    for text in _ours(port):
        name, _, value = text.partition("=")
        found[name] = True if name == OWNED else int(value) if name == NIC and value.isdigit() else value
    return found | {name: value for name, value in (port.get("binding:profile") or {}).items() if name in OURS}


def stale_tags(port: Mapping[str, Any]) -> Iterator[str]:
    """Answer the paths below /v2.0 of tags of ours, to be deleted from a port which stays when its server goes."""
    return (f"/ports/{port['id']}/tags/{text}" for text in _ours(port))


def _ours(port: Mapping[str, Any]) -> list[str]:
    return [text for text in port.get("tags") or () if text.partition("=")[0] in OURS]


#: How many ids go into one request: web servers refuse long addresses.
IDS = 50


class Adoption:
    """Lets Neutron remember of ports what a Nova knew of them, and asks it for what that Nova did not store. `send` is what
    neutron.connect answers."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def adopt(self, vifs: Sequence[Vif]) -> tuple[str, ...]:
        """Tag the ports of one server, again if they are tagged; answer those which do not exist. Raises Unavailable."""
        missing = []
        for vif in vifs:
            wanted = [OWNED] if vif.owned else []
            wanted += [f"{NIC}={vif.nic}"] if len(vifs) > 1 else []
            wanted += [f"{TAG}={vif.tag}"] if vif.tag else []
            statuses = [self._send("PUT", f"/ports/{vif.port_id}/tags/{text}", {}, None)[0] for text in wanted]
            if 404 in statuses:
                missing.append(vif.port_id)
            elif any(status >= 400 for status in statuses):
                raise Unavailable(f"The network service refused to tag port {vif.port_id}.", details=f"status {max(statuses)}")
        return tuple(missing)

    def group_names(self, ids: Collection[str]) -> dict[str, str]:
        """Answer the names of security groups; those which do not exist are left out. Raises Unavailable."""
        found: dict[str, str] = {}
        wanted = sorted(ids)
        for start in range(0, len(wanted), IDS):
            status, answer = self._send("GET", "/security-groups", {"id": wanted[start:start + IDS], "fields": ["id", "name"]}, None)
            if status >= 400:
                raise Unavailable("The network service refused to list security groups.", details=f"status {status}")
            found |= {group["id"]: group["name"] for group in answer["security_groups"]}
        return found
