"""Console text, bounded and safe."""

from __future__ import annotations

import pytest

from novalike.exception import NotFound
from tests.factories_compute import CONTEXT, server


def output(daemon, ours, tail=None) -> str:
    return daemon.console.console_output(CONTEXT, instance=ours, tail=tail)


def test_tail_is_the_last_lines(daemon):
    ours = daemon.running_server()
    daemon.hypervisor.guest_prints(ours.uuid, "one\ntwo\nthree\n")
    assert output(daemon, ours, 2) == "three\n", "what comes after a line's end counts as a line"
    daemon.hypervisor.guest_prints(ours.uuid, "login: ")
    assert output(daemon, ours, 2) == "three\nlogin: "
    assert output(daemon, ours, 0) == ""
    assert output(daemon, ours, -1) == output(daemon, ours) != ""
    assert ours.uuid in output(daemon, ours)


def test_odd_bytes_are_made_harmless(daemon):
    ours = daemon.running_server()
    daemon.driver.console_output = lambda uuid, tail, limit: b"\x00\x07caf\xc3\xa9 \xff \x1b[31mred\r\n"
    assert output(daemon, ours) == "caf? ? \x1b[31mred\r\n"


def test_length_is_bounded(daemon):
    ours = daemon.running_server()
    daemon.hypervisor.guest_prints(ours.uuid, "x" * 300_000 + "end")
    text = output(daemon, ours)
    assert len(text) == 102400 and text.endswith("end")


def test_missing_guest_is_not_found(daemon):
    with pytest.raises(NotFound):
        output(daemon, server())
