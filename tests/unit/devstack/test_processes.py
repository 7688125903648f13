"""Tests of how devstack waits for processes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from devstack import processes


def test_who_ends_at_its_start_is_quoted_with_the_cause_which_a_traceback_hides(tmp_path: Path) -> None:
    log = tmp_path / "all.log"
    log.write_text("12:00 INFO service begins\n12:01 CRITICAL service Could not start: no hypervisor\n" + "  File x.py\n" * 30 + "12:02 INFO service ended\n")
    child = subprocess.Popen(["true"])
    with pytest.raises(RuntimeError) as failure:
        processes.wait_for("the API", lambda: False, log=log, pid=child.pid)
    child.wait()
    lines = str(failure.value).splitlines()
    assert lines[0] == "the API ended at its start:"
    assert lines[1] == "12:01 CRITICAL service Could not start: no hypervisor"
    assert lines[-1] == "12:02 INFO service ended"
    assert "begins" not in str(failure.value)


def test_a_cause_within_the_end_of_the_log_is_quoted_once(tmp_path: Path) -> None:
    log = tmp_path / "all.log"
    log.write_text("12:01 CRITICAL service Could not start\n12:02 INFO service ended\n")
    with pytest.raises(TimeoutError) as failure:
        processes.wait_for("the API", lambda: False, timeout=0, log=log)
    assert str(failure.value).count("CRITICAL") == 1
