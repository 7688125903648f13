"""What a transaction costs on a server, and that nothing of it stays on its connection."""

from __future__ import annotations

import pytest
import sqlalchemy as sa


def counters(session) -> dict[str, int]:
    rows = session.execute(sa.text("SHOW SESSION STATUS WHERE Variable_name IN ('Com_commit', 'Com_rollback')"))
    return {name: int(value) for name, value in rows}


def add(session, scope: str) -> None:
    session.execute(sa.text("INSERT INTO quota_locks (scope) VALUES (:scope)"), {"scope": scope})


def scopes(session) -> set[str]:
    return set(session.scalars(sa.text("SELECT scope FROM quota_locks")))


def test_a_commit_is_followed_by_no_rollback(mariadb):
    before = mariadb.write(counters)             # the pool gives the connection that was used last
    mariadb.write(add, "one")
    after = mariadb.write(counters)
    assert after["Com_rollback"] == before["Com_rollback"]
    assert after["Com_commit"] - before["Com_commit"] == 2


def test_reading_ends_no_transaction(mariadb):
    before = mariadb.fetch(counters)
    for _ in range(3):
        with mariadb.read() as session:
            scopes(session)
    assert mariadb.fetch(counters) == before


def test_what_fails_is_undone_and_leaves_no_transaction_behind(database):
    def fail(session) -> None:
        add(session, "lost")
        raise KeyError("on purpose")

    with pytest.raises(KeyError, match="on purpose"):
        database.write(fail)
    database.write(add, "kept")
    assert database.fetch(scopes) == {"kept"}


def test_readers_see_what_was_committed_a_moment_ago(database):
    with database.read() as session:
        assert scopes(session) == set()
    database.write(add, "new")
    assert database.fetch(scopes) == {"new"}
