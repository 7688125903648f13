"""The in-process transport does what a broker does, at once and without idling."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter

import oslo_messaging as messaging
import pytest

from novalike.context import RequestContext
from novalike.exception import Unavailable
from novalike.rpc import engine, inproc, transport
from tests.unit.rpc.interfaces import Office, Parcel, Post, bare_conf

CTXT = RequestContext(user_id="u")


class Town:
    """Offices of one exchange, stopped at the end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.wire = transport.build(bare_conf(), url=url)
        self.servers = []

    def open(self, name: str) -> Office:
        office = Office(name)
        server = engine.server(self.wire, "post", name, [office])
        server.start()
        self.servers.append(server)
        return office

    def close(self) -> None:
        for server in self.servers:
            server.stop()
            server.wait()
        self.wire.cleanup()


@pytest.fixture
def town():
    made = Town(f"inproc://{uuid.uuid4().hex}")
    yield made
    made.close()


def test_a_topics_servers_take_turns(town):
    for name in ("a", "b", "c"):
        town.open(name)
    post = engine.client(Post, town.wire)
    turns = Counter(post.who(CTXT).split()[0] for _ in range(9))
    assert turns == {"a": 3, "b": 3, "c": 3}


def test_a_message_for_one_server_reaches_it_alone(town):
    offices = {name: town.open(name) for name in ("a", "b")}
    assert engine.client(Post, town.wire, server="b").who(CTXT).startswith("b ")
    engine.client(Post, town.wire, server="a").drop(CTXT, parcel=Parcel(text="x"))
    assert offices["a"].box.get(timeout=5).text == "x"
    assert offices["b"].box.empty()


def test_a_fanout_reaches_all(town):
    offices = [town.open(name) for name in ("a", "b", "c")]
    engine.client(Post, town.wire).announce(CTXT, text="hear")
    assert [office.box.get(timeout=5) for office in offices] == ["hear"] * 3


def test_transports_of_one_url_share_an_exchange_and_others_do_not(town):
    town.open("a")
    other = transport.build(bare_conf(), url=town.url)
    assert engine.client(Post, other).who(CTXT).startswith("a ")
    elsewhere = transport.build(bare_conf(), url=f"inproc://{uuid.uuid4().hex}")
    with pytest.raises(Unavailable):
        engine.client(Post, elsewhere).slow(CTXT, seconds=0)


def test_a_message_waits_for_its_listener(town):
    post = engine.client(Post, town.wire)
    post.drop(CTXT, parcel=Parcel(text="early"))
    answers = []
    caller = threading.Thread(target=lambda: answers.append(post.who(CTXT)))
    caller.start()
    time.sleep(0.05)
    office = town.open("late")
    assert office.box.get(timeout=5).text == "early"
    caller.join(5)
    assert answers[0].startswith("late ")


def test_a_call_whose_caller_gave_up_is_not_delivered(town):
    with pytest.raises(Unavailable):
        engine.client(Post, town.wire).slow(CTXT, seconds=0)       # nobody listens for 0.3 s
    office = town.open("late")
    office.slow = lambda *args, **arguments: office.box.put("called")
    engine.client(Post, town.wire).who(CTXT)
    assert office.box.empty()


def test_only_the_newest_messages_wait(town):
    post = engine.client(Post, town.wire)
    for number in range(inproc.MOST_WAITING + 5):
        post.drop(CTXT, parcel=Parcel(text=str(number)))
    office = town.open("late")
    got = {int(office.box.get(timeout=5).text) for _ in range(inproc.MOST_WAITING)}
    assert got == set(range(5, inproc.MOST_WAITING + 5))


def test_a_server_which_cannot_keep_up_says_so(town):
    office = town.open("busy")
    office.gate.clear()
    post = engine.client(Post, town.wire)
    with pytest.raises(Unavailable, match="could not be delivered"):
        for _ in range(inproc.MOST_PENDING + 200):
            post.drop(CTXT, parcel=Parcel(text="x"))
    office.gate.set()


def test_nothing_is_shared_with_the_receiver(town):
    got = []

    class Endpoint:
        target = messaging.Target(namespace="N")

        def take(self, ctxt, thing):
            got.append(thing)
            thing["b"] = 2
            return thing

    server = messaging.get_rpc_server(town.wire, messaging.Target(topic="t", server="s"), [Endpoint()], server_cls=engine._Server)
    server.start()
    client = messaging.get_rpc_client(town.wire, messaging.Target(topic="t", namespace="N"))
    sent = {"a": (1, 2)}
    answer = client.call({}, "take", thing=sent)
    assert sent == {"a": (1, 2)}
    assert answer == {"a": [1, 2], "b": 2}, "tuples become lists, as on any other wire"
    assert answer is not got[0]
    with pytest.raises(TypeError):
        client.cast({}, "take", thing=object())
    server.stop()
    server.wait()


def test_delivery_is_prompt_and_takes_no_thread_of_its_own(town):
    before = threading.active_count()
    post = engine.client(Post, town.wire)
    town.open("a")
    assert threading.active_count() == before, "listening takes no thread"
    post.who(CTXT)
    rounds = []
    for _ in range(200):
        start = time.perf_counter()
        post.who(CTXT)
        rounds.append(time.perf_counter() - start)
    assert sorted(rounds)[len(rounds) // 2] < 0.005, "half of all calls, there and back, even on a busy machine"


def test_an_idle_exchange_uses_no_time(town):
    for name in ("a", "b"):
        town.open(name)
    engine.client(Post, town.wire).who(CTXT)
    used = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - used < 0.05


@pytest.mark.filterwarnings("ignore::DeprecationWarning")            # oslo.messaging's own executor
def test_notifications_reach_listeners_or_are_dropped(town):
    got = threading.Event()

    class Endpoint:
        def info(self, ctxt, publisher_id, event_type, payload, metadata):
            got.set()

    wire = messaging.transport.NotificationTransport(town.wire._driver)
    notifier = messaging.Notifier(wire, publisher_id="me", driver="messaging", topics=["notifications"])
    notifier.info({}, "event", {"nobody": "listens"})
    assert not got.is_set()
    listener = messaging.get_notification_listener(wire, [messaging.Target(topic="notifications")], [Endpoint()])
    listener.start()
    notifier.info({}, "event", {"a": 1})
    assert got.wait(5)
    listener.stop()
    listener.wait()


def test_the_entry_point_leads_here():
    built = messaging.get_rpc_transport(transport_conf(), url="inproc://entry")
    assert isinstance(built._driver, inproc.InProcessDriver)


def transport_conf():
    conf = bare_conf()
    transport.register(conf)
    return conf
