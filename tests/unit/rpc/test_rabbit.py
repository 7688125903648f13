"""RPC over a real broker behaves as in one process. What happens when the broker goes away: tests/live/test_broker_outage.py."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from novalike.context import RequestContext
from novalike.exception import NotFound, Unavailable
from novalike.rpc import engine, transport
from tests.conftest import server_url
from tests.unit.rpc.interfaces import Office, Parcel, Post, bare_conf

pytestmark = pytest.mark.rabbitmq
CTXT = RequestContext(user_id="u")


@pytest.fixture
def wire():
    built = transport.build(bare_conf(), url=server_url("rabbitmq"))
    yield built
    built.cleanup()


@pytest.fixture
def offices(wire):
    opened, servers = {}, []
    for name in ("a", "b", "c"):
        opened[name] = Office(name)
        servers.append(engine.server(wire, "post", name, [opened[name]]))
        servers[-1].start()
    yield opened
    for server in servers:
        server.stop()
        server.wait()


def test_it_does_what_the_transport_in_one_process_does(wire, offices):
    post = engine.client(Post, wire)
    assert Counter(post.who(CTXT).split()[0] for _ in range(9)) == {"a": 3, "b": 3, "c": 3}
    assert engine.client(Post, wire, server="b").who(CTXT) == f"b {CTXT.request_id} {CTXT.request_id}"
    with pytest.raises(NotFound, match="no such parcel"):
        post.fail(CTXT, how="NotFound")
    for office in offices.values():
        office.gate.clear()
    with pytest.raises(Unavailable, match=r"0\.3 s"):
        post.slow(CTXT, seconds=1)
    post.announce(CTXT, text="hear")
    assert [office.box.get(timeout=5) for office in offices.values()] == ["hear"] * 3


def test_a_message_to_a_host_which_never_was_fails_at_once(wire, offices):
    started = time.monotonic()
    with pytest.raises(Unavailable, match="could not be delivered"):
        engine.client(Post, wire, server="nowhere").drop(CTXT, parcel=Parcel(text="x"))
    assert time.monotonic() - started < 5
