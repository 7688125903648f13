"""A compute daemon over a fake hypervisor; `make_daemon(**options)` for special ones."""

from __future__ import annotations

import pytest

from tests.factories_compute import ComputeDaemon


@pytest.fixture
def make_daemon(tmp_path):
    made = []

    def make(start: bool = True, **options) -> ComputeDaemon:
        daemon = ComputeDaemon(tmp_path, **options)
        made.append(daemon)
        return daemon.start() if start else daemon
    yield make
    for daemon in made:
        daemon.manager._stop_timeout = 0.2
        daemon.manager.stop()


@pytest.fixture
def daemon(make_daemon):
    return make_daemon()
