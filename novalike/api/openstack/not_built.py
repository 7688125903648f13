"""Operations of the Compute API which nothing here serves: one table, and what each answers.

GONE existed in Nova once and answers 410, as in Nova today. REFUSED always was 400. NOT_BUILT is Nova's, and not (yet) ours:
501, naming the feature. Outside of its versions an operation answers 404, like any other. Whoever builds one adds its
resource and deletes its line here; a test names lines which are left over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from novalike.api.http.application import Handler, Request, Route
from novalike.exception import Gone, Invalid, NotBuilt

#: Any authenticated caller may learn that something is not there.
RULE = "os_compute_api:not_built"

GONE, REFUSED, NOT_BUILT = "gone", "refused", "not built"


@dataclass(frozen=True)
class Group:
    """Operations, written as "METHOD path [action word]", which answer alike."""

    kind: str
    feature: str
    operations: tuple[str, ...]
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class Operation:
    """One line of the table."""

    kind: str
    feature: str
    method: str
    path: str
    action: str | None
    since: str | None
    until: str | None


def _of(path: str, methods: str) -> tuple[str, ...]:
    return tuple(f"{method} {path}" for method in methods.split())


def _actions(path: str, words: str) -> tuple[str, ...]:
    return tuple(f"POST {path}/action {word}" for word in words.split())


_SERVER = "/servers/{id}"
_OF_SERVER = "/servers/{server_id}"
#: Last version with the proxies to other services.
_PROXY = "2.35"

GROUPS = (
    # Gone at every version, or until the proxies went.
    Group(GONE, "guest agents", (*_of("/os-agents", "GET POST"), *_of("/os-agents/{id}", "PUT DELETE"))),
    Group(GONE, "cells v1", (
        *_of("/os-cells", "GET POST"), *_of("/os-cells/capacities", "GET"), *_of("/os-cells/detail", "GET"),
        *_of("/os-cells/info", "GET"), *_of("/os-cells/sync_instances", "POST"), *_of("/os-cells/{id}", "GET PUT DELETE"),
        *_of("/os-cells/{id}/capacities", "GET"),
    )),
    Group(GONE, "certificates", (*_of("/os-certificates", "POST"), *_of("/os-certificates/{id}", "GET"))),
    Group(GONE, "cloudpipe", (*_of("/os-cloudpipe", "GET POST"), *_of("/os-cloudpipe/{id}", "PUT"))),
    Group(GONE, "fixed IPs", (*_of("/os-fixed-ips/{id}", "GET"), *_actions("/os-fixed-ips/{id}", "reserve unreserve")), until=_PROXY),
    Group(GONE, "floating IP DNS", (
        *_of("/os-floating-ip-dns", "GET"), *_of("/os-floating-ip-dns/{id}", "PUT DELETE"),
        *_of("/os-floating-ip-dns/{domain_id}/entries/{id}", "GET PUT DELETE"),
    ), until=_PROXY),
    Group(GONE, "floating IP ranges", (
        *_of("/os-floating-ips-bulk", "GET POST"), *_of("/os-floating-ips-bulk/{id}", "GET PUT"),
    ), until=_PROXY),
    Group(GONE, "fping", (*_of("/os-fping", "GET"), *_of("/os-fping/{id}", "GET")), until=_PROXY),
    Group(GONE, "nova-network's networks", (
        *_of("/os-networks", "POST"), *_of("/os-networks/add", "POST"), *_of("/os-networks/{id}", "DELETE"),
        *_actions("/os-networks/{id}", "disassociate disassociate_host disassociate_project associate_host"),
        *_of("/os-tenant-networks", "POST"), *_of("/os-tenant-networks/{id}", "DELETE"),
    ), until=_PROXY),
    Group(GONE, "default rules of security groups", (
        *_of("/os-security-group-default-rules", "GET POST"), *_of("/os-security-group-default-rules/{id}", "GET DELETE"),
    ), until=_PROXY),
    Group(GONE, "network reset by guest agents", _actions(_SERVER, "resetNetwork")),
    Group(GONE, "XenAPI consoles", (*_of(f"{_OF_SERVER}/consoles", "GET POST"), *_of(f"{_OF_SERVER}/consoles/{{id}}", "GET DELETE"))),
    Group(GONE, "virtual interfaces", _of(f"{_OF_SERVER}/os-virtual-interfaces", "GET"), until="2.43"),
    # Refused by Nova too.
    Group(REFUSED, "changing bare metal nodes; use the bare metal service", (
        *_of("/os-baremetal-nodes", "POST"), *_of("/os-baremetal-nodes/{id}", "DELETE"),
        *_actions("/os-baremetal-nodes/{id}", "add_interface remove_interface"),
    ), until=_PROXY),
    Group(REFUSED, "RDP consoles", _actions(_SERVER, "os-getRDPConsole"), until="2.5"),
    # Proxies to other services, for clients older than 2016.
    Group(NOT_BUILT, "the volume proxy; use the volume service", (
        *_of("/os-volumes", "GET POST"), *_of("/os-volumes/detail", "GET"), *_of("/os-volumes/{id}", "GET DELETE"),
        *_of("/os-snapshots", "GET POST"), *_of("/os-snapshots/detail", "GET"), *_of("/os-snapshots/{id}", "GET DELETE"),
    ), until=_PROXY),
    # Features of compute.
    Group(NOT_BUILT, "live migration", (
        *_actions(_SERVER, "os-migrateLive"),
    )),
    Group(NOT_BUILT, "live migration", _of(f"{_OF_SERVER}/migrations/{{id}}", "DELETE"), since="2.24"),
    Group(NOT_BUILT, "live migration", _actions(f"{_OF_SERVER}/migrations/{{id}}", "force_complete"), since="2.22"),
    Group(NOT_BUILT, "evacuation", _actions(_SERVER, "evacuate")),
    Group(NOT_BUILT, "shares", (
        *_of(f"{_OF_SERVER}/shares", "GET POST"), *_of(f"{_OF_SERVER}/shares/{{id}}", "GET DELETE"),
    ), since="2.97"),
)


def operations() -> Iterator[Operation]:
    """Answer the table line by line."""
    for group in GROUPS:
        for text in group.operations:
            method, path, *action = text.split()
            yield Operation(group.kind, group.feature, method, path, action[0] if action else None, group.since, group.until)


def routes(served: Iterable[Route]) -> tuple[Route, ...]:
    """Answer a route for every line, except those which a resource serves by now."""
    templates = {shape(route.path): route.path for route in served}
    taken = {key(route.method, route.path, route.action) for route in served}
    return tuple(
        Route(
            method=line.method, path=templates.get(shape(line.path), line.path), action=line.action, handler=_handler(line),
            rule=RULE, since=line.since, until=line.until,
        )
        for line in operations() if key(line.method, line.path, line.action) not in taken
    )


def key(method: str, path: str, action: str | None) -> tuple[str, str, str]:
    """Answer what makes an operation one, whatever the names of its path's parameters."""
    return method, shape(path), action or ""


def shape(path: str) -> str:
    """Answer a path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _gone(line: Operation) -> Exception:
    return Gone("This resource is no longer available. No forwarding address is given.", details=line.feature)


def _refused(line: Operation) -> Exception:
    return Invalid(f"Not supported: {line.feature}.")


def _not_built(line: Operation) -> Exception:
    return NotBuilt(f"This cloud does not have this feature: {line.feature}.")


_ANSWERS: dict[str, Callable[[Operation], Exception]] = {GONE: _gone, REFUSED: _refused, NOT_BUILT: _not_built}


def _handler(line: Operation) -> Handler:
    def answer(_request: Request) -> None:
        raise _ANSWERS[line.kind](line)
    return answer
