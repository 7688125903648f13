"""Requests of plausible parts put together at random: whatever comes, no 5xx (but 501 and 503), and words which say what is wrong.

More of them: pytest tests/api/network/test_fuzz.py --hypothesis-profile=more
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import quote

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novalike.api.http.schema import FORMATS
from tests.api.test_fuzz import examples

#: Values which fit some field or other; ids of the world's things come to them.
POOL: tuple[Any, ...] = (
    None, True, False, 0, 1, 4, 6, 8, 24, 64, 80, 255, 1500, "4", "6", "-1", "true", "a", "default", "nova", "slaac", "dhcpv6-stateful", "dhcpv6-stateless",
    "tcp", "udp", "icmp", "ipv6-icmp", "58", "any", "ingress", "egress", "IPv4", "IPv6", "ipv6", "normal", "flat", "vxlan", "vlan", "wire", "h1", "compute:nova",
    "network:router_interface", "network:dhcp", "10.0.0.1", "10.0.0.5", "10.0.0.9", "10.0.0.255", "10.0.0.0", "172.24.4.9", "fd00::5", "fd00::", "::", "0.0.0.0",
    "224.0.0.1", "169.254.169.254", "10.0.0.0/24", "10.0.0.0/8", "10.1.0.0/24", "0.0.0.0/0", "::/0", "fd00::/64", "fd01::/64", "10.9.0.0/16", "10.0.0.5/32",
    "fa:16:3e:00:00:01", "ff:ff:ff:ff:ff:ff", "web", "mtu", "example.org.", "\U0001f600", "%", "", "x" * 255, [], {}, ["nova"], [{}],
)


class World:
    """Something of each kind, and who asks about it."""

    def __init__(self, app: Any, admin: Any, member: Any) -> None:
        self.callers = (admin, member)
        self.routes = [route for route in app.routes if route.method in ("GET", "POST", "PUT")]
        out = admin.make("network", name="out", **{"router:external": True})["id"]
        outside = admin.make("subnet", network_id=out, ip_version=4, cidr="172.24.4.0/24", enable_dhcp=False)["id"]
        net = member.make("network", name="n")["id"]
        four = member.make("subnet", network_id=net, ip_version=4, cidr="10.0.0.0/24")["id"]
        six = member.make("subnet", network_id=net, ip_version=6, cidr="fd00::/64")["id"]
        empty = member.make("network", name="empty")["id"]
        router = member.make("router", name="r", external_gateway_info={"network_id": out})["id"]
        leg = member.put(f"/routers/{router}/add_router_interface", {"subnet_id": four}).json["port_id"]
        port = member.make("port", network_id=net)["id"]
        floating = member.make("floatingip", floating_network_id=out, port_id=port)["id"]
        group = member.make("security_group", "security-groups", name="g")["id"]
        rule = member.make("security_group_rule", "security-group-rules", security_group_id=group, direction="ingress")["id"]
        pool = member.make("subnetpool", name="p", prefixes=["10.9.0.0/16"], default_prefixlen=24)["id"]
        project = member.context.project_id
        self.ids = {
            "networks": (net, empty, out), "subnets": (four, six, outside), "ports": (port, leg), "routers": (router,), "floatingips": (floating,),
            "security-groups": (group,), "security-group-rules": (rule,), "subnetpools": (pool,), "quotas": (project,),
        }
        self.all = tuple(key for keys in self.ids.values() for key in keys)
        self.pool = POOL + self.all

    def id_for(self, path: str, data: st.DataObject) -> str:
        """Answer what to put for a path's id: mostly that of a thing of its kind."""
        kind = path.split("/")[2]
        return str(data.draw(st.sampled_from(self.ids.get(kind, ()) * 3 + (*self.all[:3], "x"))))


@cache
def _validator(plain: str) -> Any:
    return fastjsonschema.compile(json.loads(plain), formats=FORMATS, use_default=False)


def fits(plain: Any, value: Any) -> bool:
    try:
        _validator(json.dumps(plain, sort_keys=True))(value)
    except fastjsonschema.JsonSchemaException:
        return False
    return True


def body(data: st.DataObject, plain: Any, pool: tuple[Any, ...]) -> Any:
    """Draw a value which mostly fits a plain JSON Schema."""
    if data.draw(st.integers(0, 39)) == 0:
        return data.draw(st.sampled_from(pool))
    kinds = plain.get("type", ())
    if "object" in kinds and plain.get("properties"):
        required = plain.get("required", ())
        return {
            name: body(data, inner, pool) for name, inner in plain["properties"].items()
            if name in required or data.draw(st.integers(0, 9)) < 3
        }
    if "array" in kinds and "items" in plain:
        return [body(data, plain["items"], pool) for _ in range(data.draw(st.integers(0, 2)))]
    return data.draw(st.sampled_from([value for value in pool if fits(plain, value)] or pool))


@pytest.fixture
def world(app, admin, member) -> World:
    return World(app, admin, member)


def check(answer: Any, what: Any) -> None:
    assert answer.status < 500 or answer.status in (501, 503), (what, answer.status, answer.json)
    if answer.status >= 400:
        assert answer.json["NeutronError"]["message"], what


@pytest.mark.timeout(120)
def test_odd_requests(world: World) -> None:
    writing = [route for route in world.routes if route.method in ("POST", "PUT")]

    @examples(500)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        caller, route = data.draw(st.sampled_from(world.callers)), data.draw(st.sampled_from(writing))
        path = "/".join(world.id_for(route.path, data) if part.startswith("{") else part for part in route.path.split("/")).removeprefix("/v2.0")
        plain = route.body.at((2, 0)) if route.body is not None else {}
        if route.body is not None and "minProperties" in plain:      # one thing, rather than several
            plain = {"type": "object", "properties": dict(list(plain["properties"].items())[:1]), "required": list(plain["properties"])[:1]}
        sent = body(data, plain, world.pool) if plain else None
        check(caller(route.method, path, sent), (route.method, path, sent))

    run()


@pytest.mark.timeout(120)
def test_odd_queries(world: World) -> None:
    lists = [route for route in world.routes if route.method == "GET"]

    @examples(300)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        caller, route = data.draw(st.sampled_from(world.callers)), data.draw(st.sampled_from(lists))
        path = "/".join(world.id_for(route.path, data) if part.startswith("{") else part for part in route.path.split("/")).removeprefix("/v2.0") or "/"
        names = sorted(route.query.names((2, 0))) or ["fields"]
        pairs = [(data.draw(st.sampled_from(names)), str(data.draw(st.sampled_from((*world.pool, *names))))) for _ in range(data.draw(st.integers(0, 3)))]
        query = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
        check(caller.get(f"{path}?{query}" if query else path), (path, query))

    run()
