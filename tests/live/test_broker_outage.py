"""A broker that is stopped and started again: senders wait for a bounded time, servers come back by themselves."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from devstack.processes import free_port
from novalike.context import RequestContext
from novalike.exception import Unavailable
from novalike.rpc import engine, transport
from tests.conftest import server_url
from tests.unit.rpc.interfaces import Office, Parcel, Post, bare_conf

pytestmark = pytest.mark.rabbitmq
CTXT = RequestContext(user_id="u")


class Broker:
    """A RabbitMQ of our own, to stop and start. Its clients and its data go with the test."""

    def __init__(self, folder) -> None:
        self.port, self._distribution = free_port(), free_port()
        self._folder = folder
        self.url = f"rabbit://guest:guest@127.0.0.1:{self.port}/"
        self._process = None

    def start(self) -> None:
        environment = {
            **os.environ, "HOME": str(self._folder), "RABBITMQ_NODENAME": f"novalike{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution), "RABBITMQ_MNESIA_BASE": f"{self._folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{self._folder}/log", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self._folder}/plugins",
            "RABBITMQ_CONFIG_FILE": f"{self._folder}/rabbitmq", "ERL_EPMD_PORT": "4369",
        }
        # The wrapper script wants to be a certain user; the one below it does not mind.
        self._process = subprocess.Popen(
            ["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder,
        )
        wait_for(self._listens, 60)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def wait_for(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


@pytest.fixture
def broker(tmp_path):
    server_url("rabbitmq")                           # skips where no RabbitMQ is wanted
    if not shutil.which("/usr/lib/rabbitmq/bin/rabbitmq-server"):
        pytest.skip("RabbitMQ is not installed here")
    own = Broker(tmp_path)
    own.start()
    yield own
    own.stop()


def test_a_broker_that_is_away_is_waited_for(broker):
    wire = transport.build(bare_conf(), url=broker.url)
    untouched = transport.build(bare_conf(), url=broker.url)     # has not spoken before the broker goes
    office = Office("a")
    server = engine.server(wire, "post", "a", [office])
    server.start()
    post = engine.client(Post, wire)
    assert post.who(CTXT).startswith("a ")
    broker.stop()

    for client, send in (
        (post, lambda one: one.drop(CTXT, parcel=Parcel(text="lost"))), (post, lambda one: one.who(CTXT)),
        (engine.client(Post, untouched), lambda one: one.drop(CTXT, parcel=Parcel(text="lost"))),
        (engine.client(Post, untouched), lambda one: one.who(CTXT)),
    ):
        started = time.monotonic()
        with pytest.raises(Unavailable):
            send(client)
        assert time.monotonic() - started < 20, "a sender waits for a bounded time"

    broker.start()

    def answers(client) -> bool:
        try:
            return client.who(CTXT).startswith("a ")
        except Unavailable:
            return False
    wait_for(lambda: answers(post), 20)
    wait_for(lambda: answers(engine.client(Post, untouched)), 20)
    post.drop(CTXT, parcel=Parcel(text="after"))
    assert office.box.get(timeout=10).text == "after"
    server.stop()
    server.wait()
    wire.cleanup()
    untouched.cleanup()
