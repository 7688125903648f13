"""The arithmetic of the benchmark."""

from __future__ import annotations

import os
import time

import pytest

from devstack import accounting
from devstack.bench import Phase


def test_percentiles_are_values_which_were_measured():
    values = [0.5, 0.1, 0.4, 0.2, 0.3]
    assert accounting.percentile(values, 0.5) == 0.3
    assert accounting.percentile(values, 0.95) == 0.5
    assert accounting.percentile([7.0], 0.5) == 7.0
    assert accounting.percentile([1.0, 2.0], 0.5) == 1.0
    with pytest.raises(ValueError, match="no values"):
        accounting.percentile([], 0.5)


def test_what_a_process_uses_by_itself_is_not_charged_to_the_work():
    used = accounting.beyond_idle({"api": 1.0, "conductor": 2.0}, {"api": 1.5, "conductor": 2.05}, {"conductor": 0.01}, seconds=10)
    assert used == {"api": 0.5, "conductor": 0.0}


def test_medians_are_of_each_name():
    assert accounting.medians([{"cpu": 3.0}, {"cpu": 1.0}, {"cpu": 2.0, "p50": 9.0}]) == {"cpu": 2.0, "p50": 9.0}


def test_a_phase_answers_what_one_server_cost():
    row = Phase(name="create", count=10, seconds=2.0, cpu={"api": 0.1, "conductor": 0.3}, times=[0.2, 0.1]).row()
    assert row == pytest.approx({"rate": 5, "cpu_api": 10, "cpu_conductor": 30, "cpu": 40, "p50": 100, "p95": 200})


def test_the_cpu_time_of_this_very_process_is_seen():
    before = accounting.cpu_seconds(os.getpid())
    give_up = time.process_time() + 0.1
    while time.process_time() < give_up:
        pass
    assert accounting.cpu_seconds(os.getpid()) - before >= 0.08
    assert accounting.memory_mb(os.getpid()) > 1
