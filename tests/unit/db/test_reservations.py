"""What resizes reserve of a project's quota, on each database: exact at any concurrency, and given back once."""

from __future__ import annotations

import threading
import uuid

import pytest

from novalike.clock import ManualClock
from novalike.db import mappings, quotas, reservations
from novalike.exception import NotFound, OverQuota

DEFAULTS = {"instances": 10, "cores": 20, "ram": 51200}


def server(database, cores=1, ram=512, user="u1"):
    return database.write(
        mappings.reserve, [str(uuid.uuid4())], cell="cell1", project_id="p1", user_id=user, cores=cores, ram=ram, defaults=DEFAULTS,
    )[0]


def reserve(database, instance, cores, ram=512):
    migration = str(uuid.uuid4())
    database.write(reservations.reserve, migration, instance, cores=cores, ram=ram, defaults=DEFAULTS)
    return migration


def used(database, user=None):
    usage = database.fetch(quotas.usage, "p1", user)
    return usage.instances, usage.cores, usage.ram


def test_what_a_server_grows_by_counts_and_is_given_back(database):
    one = server(database)
    migration = reserve(database, one, 4, 2048)
    assert used(database) == (1, 4, 2048) == used(database, "u1")
    for _ in range(2):
        database.write(reservations.cancel, migration)
    assert used(database) == (1, 1, 512)


def test_a_server_which_shrinks_counts_its_old_size_until_that_is_settled(database):
    one = server(database, cores=4, ram=2048)
    migration = reserve(database, one, 1, 4096)
    assert used(database) == (1, 4, 4096), "the larger of both, of each"
    for _ in range(2):
        database.write(reservations.settle, migration, one, cores=1, ram=4096)
    assert used(database) == (1, 1, 4096)


def test_only_the_difference_is_asked_for(database):
    one = server(database, cores=18)
    reserve(database, one, 20)
    two = server(database, cores=0)
    with pytest.raises(OverQuota) as refused:
        reserve(database, two, 1)
    assert str(refused.value) == "Quota exceeded for cores: Requested 1, but already used 20 of 20 cores"
    with pytest.raises(OverQuota, match="Quota exceeded"):
        server(database, cores=1)


def test_the_limit_of_a_user(database):
    database.write(quotas.set_limits, "p1", "u1", {"cores": 2}, now=ManualClock().now())
    one, other = server(database), server(database, user="u2")
    reserve(database, other, 8)
    with pytest.raises(OverQuota, match="Requested 2, but already used 1 of 2 cores"):
        reserve(database, one, 3)


def test_a_deleted_server_reserves_nothing(database):
    one = server(database)
    reserve(database, one, 8)
    database.write(mappings.release, one)
    assert used(database) == (0, 0, 0)


def test_an_unknown_server_is_not_found(database):
    with pytest.raises(NotFound):
        reserve(database, str(uuid.uuid4()), 4)


def test_what_is_old_is_found(database):
    migration = reserve(database, one := server(database), 4)
    assert database.fetch(reservations.older_than, 60_000) == []
    [stale] = database.fetch(reservations.older_than, -60_000)
    assert (stale.uuid, stale.instance_uuid, stale.cell) == (migration, one, "cell1")


def test_exact_under_concurrency(database):
    servers = [server(database) for _ in range(8)]
    granted, refused = [], []

    def grow(one):
        try:
            granted.append(reserve(database, one, 4))
        except OverQuota:
            refused.append(one)
    threads = [threading.Thread(target=grow, args=(one,)) for one in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(granted), len(refused)) == (4, 4), "8 cores are used and 12 are left: 3 for each of four"
    assert used(database) == (8, 20, 8 * 512)
