"""Where the present period of usage began."""

from __future__ import annotations

from datetime import datetime

import pytest

from novalike.notifications import periods

NOW = datetime(2026, 3, 4, 5, 30)  # noqa: DTZ001  naive UTC


@pytest.mark.parametrize(("period", "begin"), [
    ("hour", "2026-03-04 05:00"), ("hour@45", "2026-03-04 04:45"), ("day", "2026-03-04 00:00"), ("day@6", "2026-03-03 06:00"),
    ("month", "2026-03-01 00:00"), ("month@15", "2026-02-15 00:00"), ("year", "2026-01-01 00:00"), ("year@4", "2025-04-01 00:00"),
])
def test_the_period_began(period, begin):
    assert periods.current(period, NOW) == (datetime.fromisoformat(begin), NOW)
