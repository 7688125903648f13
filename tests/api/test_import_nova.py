"""A real Nova's recorded databases are taken over; afterwards our API answers what that Nova answered."""

from __future__ import annotations

from typing import Any

from novalike.api.openstack.app import application
from novalike.db import hosts
from novalike.db.engine import Database
from tests import nova_dump
from tests.api import client
from tests.fakes import services as fakes
from tests.nova_dump import synced, take  # noqa: F401  # fixtures

# -- what the API answers

#: Keys which say where a service listens, or when a daemon last said something.
_PASSING = frozenset({"links", "updated_at_of_services", "servers_links"})
_RECORDED = nova_dump.recorded("answers")


def _plain(path: str, value: Any) -> Any:
    """Answer an answer without what may differ: links, the order of what Nova leaves unordered, daemons other than computes."""
    if isinstance(value, list):
        return [_plain(path, one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: _plain(path, one) for name, one in value.items() if name not in _PASSING}
    if "members" in found:
        found["members"].sort()
    if isinstance(found.get("security_groups"), list):               # Nova names a group once for each port
        found["security_groups"] = sorted({group["name"] for group in found["security_groups"]})
    if "services" in found:
        found["services"] = [{**one, "updated_at": None} for one in found["services"] if one["binary"] == "nova-compute"]
    if "availabilityZoneInfo" in found:
        found["availabilityZoneInfo"] = [_zone(one) for one in found["availabilityZoneInfo"] if one["zoneName"] != "internal"]
    if "migrations" in found:
        found["migrations"].sort(key=lambda one: one["id"])
    if "servers" in found:                       # made in the same second: ours are then the newest number first, Nova's by uuid
        found["servers"].sort(key=lambda one: (one.get("created", ""), one["id"]))
    return found


def _zone(zone: dict[str, Any]) -> dict[str, Any]:
    seen = {host: {name: {**of, "updated_at": None} for name, of in services.items()} for host, services in (zone["hosts"] or {}).items()}
    return {**zone, "hosts": seen or None}


def _differences(theirs: Any, ours: Any, path: str = "") -> list[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [text for key in sorted(theirs.keys() | ours.keys()) for text in _differences(theirs.get(key, "(none)"), ours.get(key, "(none)"), f"{path}.{key}")]
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return [text for number, pair in enumerate(zip(theirs, ours, strict=True)) for text in _differences(*pair, f"{path}[{number}]")]
    return [] if theirs == ours else [f"{path}: Nova {theirs!r}, here {ours!r}"]


def _asked(database: Database) -> dict[str, client.Client]:
    database.write(lambda session: hosts.heartbeat(session, ["vm-1", "vm-2"], hosts.COMPUTE_BINARY))
    app = application(fakes.services(database))
    users = _RECORDED["users"]
    return {
        who: client.Client(app, client.context(*roles, project=users[who]["project"], user=users[who]["user"]))
        for who, roles in (("admin", client.ADMIN), ("demo", client.MEMBER))
    }


def test_the_api_answers_what_nova_answered(take, synced):  # noqa: F811
    """Servers as lists and alone at three versions, their actions, addresses and tags; flavors, key pairs, aggregates, groups, limits, moves."""
    status, rows = take()
    clients, wrong = _asked(synced), []
    for asked, (code, body) in _RECORDED["answers"].items():
        who, version, path = asked.split(" ", 2)
        if _RECORDED["servers"]["deleted"] in path:
            continue                             # not taken over
        answer = clients[who].at(version).get(path)
        if answer.status != code:
            wrong.append(f"{asked}: {answer.status} instead of {code}: {answer.json}")
            continue
        wrong += [
            f"{asked}{text}" for text in _differences(_plain(path, body), _plain(path, answer.json))
            if "Nova 'only-web'" not in text     # Nova stores the group's id; its name would have come from Neutron
        ]
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:30])
    assert rows["servers"]["why"] == "1 deleted"
    assert (status, rows["ports in Neutron"]["left"]) == (1, rows["ports of new servers"]["new"])     # no Neutron here
