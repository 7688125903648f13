"""Key pairs and limits on every database, and that the key pair limit is exact."""

import threading
from datetime import datetime

import pytest

from novalike.db import keypairs, quotas
from novalike.db.models.mappings import InstanceMapping
from novalike.exception import Duplicate, Invalid, NotFound, OverQuota
from novalike.objects.keypair import Keypair
from novalike.objects.quota import Usage

NOW = datetime(2026, 1, 1)  # noqa: DTZ001
DEFAULTS = {"cores": 20, "ram": 100, "key_pairs": 3}


def keypair(name, user="u1"):
    return Keypair(user_id=user, name=name, public_key="ssh-rsa AAAA", fingerprint="aa:bb")


def create(database, name, user="u1", limit=100):
    return database.write(keypairs.create, keypair(name, user), limit=limit, now=NOW)


def test_a_key_pair_comes_back_as_it_was_stored(database):
    stored = create(database, "k")
    with database.read() as session:
        assert keypairs.get(session, "u1", "k") == stored
        with pytest.raises(NotFound, match="k not found for user u2"):
            keypairs.get(session, "u2", "k")


def test_names_are_unique_per_user(database):
    create(database, "k")
    create(database, "k", user="u2")
    with pytest.raises(Duplicate, match="'k' already exists"):
        create(database, "k")


def test_pages_by_name(database):
    for name in ("c", "a", "b"):
        create(database, name)
    with database.read() as session:
        assert [k.name for k in keypairs.list_page(session, "u1")] == ["a", "b", "c"]
        assert [k.name for k in keypairs.list_page(session, "u1", limit=1, marker="a")] == ["b"]
        with pytest.raises(Invalid, match="marker"):
            keypairs.list_page(session, "u1", marker="zz")


def test_delete(database):
    create(database, "k")
    database.write(keypairs.delete, "u1", "k")
    with pytest.raises(NotFound):
        database.write(keypairs.delete, "u1", "k")


def test_the_limit_is_exact_when_many_create_at_once(database):
    results = []

    def work(number):
        try:
            create(database, f"k{number}", limit=3)
            results.append("made")
        except OverQuota:
            results.append("over")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["made"] * 3 + ["over"] * 5


def test_the_nearest_limit_wins(database):
    def limits(project, user=None):
        with database.read() as session:
            return quotas.limits(session, project, user, DEFAULTS)
    assert limits("p") == DEFAULTS
    database.write(quotas.set_class_limits, {"cores": 1, "ram": 1, "unknown": 9}, now=NOW)
    database.write(quotas.set_limits, "p", None, {"cores": 2, "ram": 2}, now=NOW)
    database.write(quotas.set_limits, "p", "u", {"cores": 3}, now=NOW)
    database.write(quotas.set_limits, "p", "u", {"cores": 4}, now=NOW)
    assert limits("other") == {"cores": 1, "ram": 1, "key_pairs": 3}
    assert limits("p") == {"cores": 2, "ram": 2, "key_pairs": 3}
    assert limits("p", "u") == {"cores": 4, "ram": 2, "key_pairs": 3}
    database.write(quotas.delete, "p", "u")
    assert limits("p", "u") == limits("p")
    database.write(quotas.delete, "p")
    assert limits("p") == limits("other")
    with database.read() as session:
        assert quotas.class_limits(session, DEFAULTS)["cores"] == 1


def test_usage_counts_what_is_not_released(database):
    def add(session, number, user, released):
        session.add(InstanceMapping(
            uuid=f"i{number}", cell="cell1", project_id="p", user_id=user, cores=2, ram=64, created_at=0, released_at=released,
        ))
    for number, (user, released) in enumerate([("u1", None), ("u1", 5), ("u2", None)]):
        database.write(add, number, user, released)
    with database.read() as session:
        assert quotas.usage(session, "p") == Usage(instances=2, cores=4, ram=128)
        assert quotas.usage(session, "p", "u1") == Usage(instances=1, cores=2, ram=64)
        assert quotas.usage(session, "q") == Usage()
