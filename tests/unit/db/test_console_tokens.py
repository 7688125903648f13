"""Tokens of consoles: when they open, and when sessions may go on."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from novalike.db import console_tokens, deletions, instances
from novalike.db.cells import Cells
from novalike.db.models.instances import ConsoleTokenRow, InstanceRow
from novalike.exception import NotFound
from novalike.objects.console import ConsoleAddress
from novalike.objects.secret import Secret
from tests.factories_instances import CALLER, NOW, instance

ADDRESS = ConsoleAddress(host="127.0.0.1", port=5900, access_url_base="http://cloud/vnc.html", tls_port=5901)


@pytest.fixture
def ours(database):
    return database.write(instances.create, [instance(vm_state="active", task_state=None, host="h", epoch=3)])[0]


@pytest.fixture
def store(database):
    return console_tokens.TokenStore(Cells.single(database))


def give(database, ours, text="secret", *, seconds=60):
    database.write(console_tokens.add, Secret(text), ours, "novnc", ADDRESS, seconds=seconds)


def move(database, **values):
    database.write(lambda session: session.execute(sa.update(InstanceRow).values(**values)))


def test_a_token_is_found_by_its_text_alone(database, store, ours):
    give(database, ours)
    found = store.find(Secret("secret"))
    assert (found.instance_uuid, found.host, found.epoch, found.console_type, found.address) == (ours.uuid, "h", 3, "novnc", ADDRESS)
    assert store.find(Secret("other")) is None
    with database.read() as session:
        assert "secret" not in str(session.execute(sa.select(ConsoleTokenRow.__table__)).all())


def test_expired_tokens_open_nothing_and_are_removed(database, store, ours):
    give(database, ours, "old", seconds=0)
    give(database, ours, "new")
    assert store.find(Secret("old")) is None
    assert database.write(console_tokens.remove_expired) == 1
    assert store.find(Secret("new")) is not None


def test_a_token_is_not_given_for_a_server_which_goes(database, ours):
    move(database, task_state="deleting")
    with pytest.raises(NotFound):
        give(database, ours)
    move(database, deleted=1)
    with pytest.raises(NotFound):
        give(database, ours)


def test_sessions_go_on_until_their_server_is_revoked_moved_or_deleted(database, store, ours):
    give(database, ours)
    token = store.find(Secret("secret"))
    assert store.standing([token]) == {token}
    move(database, epoch=4)
    assert store.standing([token]) == {token}, "an operation which leaves it where it is does not end sessions"
    move(database, host="elsewhere")
    assert store.standing([token]) == set()
    move(database, host="h")
    assert database.write(console_tokens.revoke, ours.uuid) == 1
    assert store.standing([token]) == set()


def test_sessions_outlive_their_tokens_expiry_unless_told_otherwise(database, store, ours):
    give(database, ours)
    token = store.find(Secret("secret"))
    database.write(lambda session: session.execute(sa.update(ConsoleTokenRow).values(expires_at=5)))
    expired = console_tokens.ConsoleToken(**{name: getattr(token, name) for name in token.__slots__} | {"expires_at": 5})
    database.write(console_tokens.remove_expired)
    assert store.standing([expired]) == {expired}
    strict = console_tokens.TokenStore(Cells.single(database), end_with_token=True)
    assert strict.standing([expired]) == set()
    database.write(deletions.begin, ours.uuid, CALLER, now=NOW)
    assert store.standing([expired]) == set()
