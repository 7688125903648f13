"""Regular expressions in queries: ordinary ones work, and none keeps the process busy."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import sqlalchemy as sa

from novalike.db.models.instances import InstanceRow


@pytest.mark.parametrize("pattern", [
    "a*a*a*b", "(a+)+", "(a|aa)+b", "a?" * 100 + "=", "(a|a)" * 50 + "=", "a{0,255}a{0,255}a{0,255}=", r"(a)\1", "(?=a*)b", "x" * 256, "[", "(",
])
def test_expensive_patterns_are_refused_by_name(world, pattern):
    for name in ("name", "ip"):
        answer = world.admin.get(f"/servers?{name}={quote(pattern)}")
        assert answer.status == 400, pattern
        assert name in answer.fault


@pytest.mark.parametrize("pattern", ["^act", "ive$", ".*act.*ive.*", "^.*tive.*$", "act[a-z]*e", "(active|paused)$", "a?c?t?ive", "^[a-z]{3,6}$"])
def test_ordinary_patterns_are_fine(world, pattern):
    answer = world.admin.get(f"/servers?name={quote(pattern)}")
    assert answer.status == 200, answer.json
    assert "active" in {server["name"] for server in answer.json["servers"]}


@pytest.mark.timeout(60)
def test_the_worst_for_all_servers_comes_to_an_end(world):
    """Each search just is not refused; without a bound on all of them, a thousand servers would take minutes."""
    world.database.write(lambda session: session.execute(sa.update(InstanceRow).values(display_name="a" * 255)))
    answer = world.admin.get(f"/servers?name={quote('a?' * 16 + '=')}")
    assert answer.status == 200 or "too expensive for so many servers" in answer.fault
