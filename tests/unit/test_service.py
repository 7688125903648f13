"""One process starts its parts in order, hears signals, and stops in order, whatever its concurrency."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest
from oslo_config import cfg

from novalike.context import RequestContext
from novalike.exception import Unavailable
from novalike.periodic import Periodic
from novalike.rpc import engine, transport
from novalike.service import Daemon, Runner
from tests.unit.rpc.interfaces import Office, Parcel, Post, bare_conf

CTXT = RequestContext(user_id="u")


class PostManager:
    binary, topic = "post-office", "post"

    def __init__(self, periodics=()):
        self.office = Office()
        self.endpoints = (self.office,)
        self.periodics = tuple(periodics)
        self.seen = []

    def start(self):
        self.seen.append("start")

    def stop(self):
        self.seen.append("stop")
        self.office.gate.set()

    def reload(self):
        self.seen.append("reload")


def conf_of(**values):
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.IntOpt("graceful_shutdown_timeout", default=5))
    conf([], project="novalike", default_config_files=[])
    return conf


def test_a_daemon_serves_beats_and_repeats():
    wire = transport.build(bare_conf(), url=f"inproc://{uuid.uuid4().hex}")
    beats, rounds = threading.Event(), threading.Semaphore(0)

    def round_():
        rounds.release()
        raise Unavailable("the database sleeps")             # is logged; the next round comes as usual

    manager = PostManager([Periodic("round", 0.01, round_), Periodic("off", 0, lambda: manager.seen.append("off"))])
    daemon = Daemon(manager, wire, host="a", heartbeat=beats.set, report_interval=60)
    daemon.start()
    assert engine.client(Post, wire).who(CTXT).startswith("office ")
    assert beats.wait(5), "the first heartbeat comes at once"
    for _ in range(3):
        assert rounds.acquire(timeout=5)
    manager.office.gate.clear()
    engine.client(Post, wire).drop(CTXT, parcel=Parcel(text="taken"))
    daemon.stop()
    assert manager.office.box.get_nowait().text == "taken", "what was taken is finished"
    assert manager.seen == ["start", "stop"]


def test_parts_start_in_order_and_stop_in_the_opposite_one_whatever_fails():
    told = []

    class Part:
        def __init__(self, name, broken=False):
            self.name, self.broken = name, broken

        def start(self):
            told.append(f"+{self.name}")

        def stop(self):
            told.append(f"-{self.name}")
            if self.broken:
                raise RuntimeError("stuck")

    runner = Runner(conf_of(), [Part("a"), Part("b", broken=True), Part("c")])
    runner.start()
    runner.stop()
    runner.stop()
    assert told == ["+a", "+b", "+c", "-c", "-b", "-a"]


PROCESS = """
from novalike import concurrency
concurrency.setup()
import sys, time, threading
from oslo_config import cfg
from novalike import service

class Part:
    def start(self):
        if "fail" in sys.argv: raise ValueError("no")
        if "slow-start" in sys.argv: print("starting", flush=True); time.sleep(60)
        threading.Thread(target=self.work, daemon=True).start()
    def work(self):
        while True: time.sleep(60)
    def stop(self):
        print("stopping", flush=True)
        if "hang" in sys.argv: time.sleep(60)
        print("stopped", flush=True)
    def reload(self): print("reloaded", flush=True)

conf = cfg.ConfigOpts()
conf.register_opt(cfg.IntOpt("graceful_shutdown_timeout", default=1 if "short" in sys.argv else 30))
conf([], project="x", default_config_files=[])
service.leave(service.Runner(conf, [Part()], ready=lambda: print("ready", flush=True)).run())
"""


class Process:
    def __init__(self, *how):
        self.process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", PROCESS, *how], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def says(self, word):
        line = self.process.stdout.readline().strip()
        assert line == word, f"the process says {line!r} instead of {word!r}"

    def signal(self, number):
        os.kill(self.process.pid, number)

    def ends(self, within):
        return self.process.wait(within)


@pytest.fixture
def process():
    made = []

    def make(*how):
        made.append(Process(*how))
        return made[-1]
    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_gracefully(process, number):
    one = process()
    one.says("ready")
    one.signal(number)
    one.says("stopping")
    one.says("stopped")
    assert one.ends(5) == 0


def test_hangup_reloads(process):
    one = process()
    one.says("ready")
    for _ in range(2):
        one.signal(signal.SIGHUP)
        one.says("reloaded")


def test_a_second_signal_ends_at_once(process):
    one = process("hang")
    one.says("ready")
    one.signal(signal.SIGTERM)
    one.says("stopping")
    started = time.monotonic()
    one.signal(signal.SIGTERM)
    assert one.ends(5) == 1
    assert time.monotonic() - started < 2


def test_stopping_has_a_time_limit(process):
    one = process("hang", "short")
    one.says("ready")
    one.signal(signal.SIGTERM)
    one.says("stopping")
    assert one.ends(5) == 0


def test_a_signal_is_heard_while_starting(process):
    one = process("slow-start")
    one.says("starting")
    one.signal(signal.SIGTERM)
    one.says("stopping")
    one.says("stopped")
    assert one.ends(5) == 0


def test_a_part_which_cannot_start_ends_the_process(process):
    one = process("fail")
    one.says("stopping")
    assert one.ends(5) == 1
