"""Tokens outlive processes, follow revocations made elsewhere, and end on time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novalike.clock import ManualClock
from novalike.db import identity as db
from novalike.db.cells import Cells
from novalike.exception import Unauthorized
from novalike.identity.local.client import LocalIdentityClient
from novalike.identity.local.payload import Payload, pack, unpack
from novalike.identity.local.service import LocalIdentity
from novalike.objects.identity import User
from tests.fakes import services as fakes

AUTH = {
    "identity": {"methods": ["password"], "password": {"user": {"name": "demo", "domain": {"id": "default"}, "password": "demo"}}},
    "scope": {"project": {"name": "demo", "domain": {"id": "default"}}},
}


@pytest.fixture
def clock():
    return ManualClock()


def process(database, clock, **options):
    """Answer the identity service of one more process on the same database."""
    conf = fakes.services(database, clock=clock, identity__password_hash_rounds=4, **options).conf
    return LocalIdentity(conf, Cells.single(database), clock)


@pytest.fixture
def identity(sqlite, clock):
    made = process(sqlite, clock)
    made.bootstrap(admin_password="secret", demo_password="demo")
    return made


def test_works_on_every_database(database, clock):
    identity = process(database, clock)
    identity.bootstrap(admin_password="secret", demo_password="demo")
    identity.bootstrap(admin_password="secret", demo_password="demo")
    token, body = identity.authentication.log_in(AUTH)
    assert process(database, clock).tokens.validate(token) == body
    identity.tokens.revoke(token)
    with pytest.raises(Unauthorized):
        identity.tokens.validate(token)


def test_survives_a_restart(identity, sqlite, clock):
    token, body = identity.authentication.log_in(AUTH)
    assert process(sqlite, clock).tokens.validate(token) == body


def test_ends_after_an_hour(identity, clock):
    token, _ = identity.authentication.log_in(AUTH)
    clock.advance(3599)
    identity.tokens.validate(token)
    clock.advance(1)
    with pytest.raises(Unauthorized):
        identity.tokens.validate(token)
    assert identity.tokens.validate(token, allow_expired=True)["token"]["user"]["name"] == "demo"
    clock.advance(172800)
    with pytest.raises(Unauthorized):
        identity.tokens.validate(token, allow_expired=True)


def test_revocation_in_another_process_is_noticed_within_a_second(identity, sqlite, clock):
    other = process(sqlite, clock)
    token, _ = identity.authentication.log_in(AUTH)
    other.tokens.validate(token)
    identity.tokens.revoke(token)
    clock.advance(1)
    with pytest.raises(Unauthorized):
        other.tokens.validate(token)


def test_known_token_costs_no_query(identity, sqlite, clock):
    token, body = identity.authentication.log_in(AUTH)
    identity.tokens.validate(token)
    sqlite.dispose()
    sqlite.fetch = None                          # any query fails now
    sqlite.read = None
    assert identity.tokens.validate(token) == body


def test_rotated_keys_still_open_older_tokens(identity, sqlite, clock):
    other = process(sqlite, clock)
    old, _ = identity.authentication.log_in(AUTH)
    other.tokens.validate(old)
    identity.tokens.rotate()
    new, _ = identity.authentication.log_in(AUTH)
    clock.advance(2)
    other.tokens.validate(new)                   # meets an unknown key and looks for it
    identity.tokens.validate(old)
    identity.tokens.rotate()
    identity.tokens.rotate()
    fresh = process(sqlite, clock)
    with pytest.raises(Unauthorized):
        fresh.tokens.validate(old)


def test_forged_and_truncated_tokens_are_refused(identity):
    token, _ = identity.authentication.log_in(AUTH)
    for bad in (token[:-4], token[:20] + "AAAA" + token[24:], "", "gAAAAA", "\udcff", "é" * 50):
        with pytest.raises(Unauthorized):
            identity.tokens.validate(bad)


def test_bootstrap_again_keeps_passwords_unless_told(identity):
    identity.bootstrap(admin_password="secret", demo_password="other")
    identity.authentication.log_in(AUTH)
    identity.bootstrap(admin_password="secret", demo_password="other", reset_passwords=True)
    with pytest.raises(Unauthorized):
        identity.authentication.log_in(AUTH)


def test_bootstrap_moves_endpoints_which_changed(identity):
    identity.bootstrap(admin_password="secret", endpoints={"compute": "http://elsewhere/compute/v2.1"})
    _, body = identity.authentication.log_in(AUTH)
    [compute] = [s for s in body["token"]["catalog"] if s["type"] == "compute"]
    assert {e["url"] for e in compute["endpoints"]} == {"http://elsewhere/compute/v2.1"}
    assert len(compute["endpoints"]) == 3


def test_local_client_knows_projects_and_users(identity, sqlite):
    client = LocalIdentityClient(Cells.single(sqlite))
    [demo] = identity.read(db.listing, User, name="demo")
    assert client.user_exists(demo.id)
    assert not client.user_exists("nobody")
    assert not client.project_exists("nowhere")


IDS = st.one_of(st.uuids().map(lambda u: u.hex), st.text(min_size=1, max_size=60))


@given(
    user=IDS, scope=st.none() | IDS, credential=st.none() | IDS, issued=st.integers(0, 2**62), audits=st.lists(IDS, min_size=1, max_size=2),
    kind=st.sampled_from(["unscoped", "project", "domain", "system"]),
)
def test_payload_survives_packing(user, scope, credential, issued, audits, kind):
    payload = Payload(
        user_id=user, methods=("password", "token"), issued_at=issued, expires_at=issued + 1, audit_ids=tuple(audits),
        scope_type=kind, scope_id=scope, application_credential_id=credential,
    )
    assert unpack(pack(payload)) == payload


@given(st.binary(max_size=80))
def test_rubbish_is_no_payload(raw):
    try:
        unpack(raw)
    except ValueError:
        return
    assert raw[0] == 1


def test_bootstrap_with_an_empty_password_makes_no_user(sqlite, clock):
    identity = process(sqlite, clock)
    identity.bootstrap(admin_password="")
    assert identity.read(db.listing, User) == []
