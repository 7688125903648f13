"""Quota is checked and taken in one breath."""

from __future__ import annotations

import threading
import uuid

import pytest

from novalike.clock import ManualClock
from novalike.db import mappings, quotas
from novalike.exception import OverQuota

DEFAULTS = {"instances": 10, "cores": 20, "ram": 51200}


def reserve(database, count, *, user="u1", cores=1, ram=512, minimum=None, project="p1"):
    uuids = [str(uuid.uuid4()) for _ in range(count)]
    return database.write(
        mappings.reserve, uuids, cell="cell1", project_id=project, user_id=user, cores=cores, ram=ram,
        defaults=DEFAULTS, minimum=minimum,
    )


def test_counts_until_the_limit(database):
    granted = reserve(database, 8)
    with pytest.raises(OverQuota) as refused:
        reserve(database, 3)
    assert str(refused.value) == "Quota exceeded for instances: Requested 3, but already used 8 of 10 instances"
    database.write(mappings.release, granted[0])
    database.write(mappings.release, granted[0])
    assert len(reserve(database, 3)) == 3
    assert len(reserve(database, 10, project="p2")) == 10


def test_grants_as_many_as_fit_between_minimum_and_maximum(database):
    assert len(reserve(database, 8, cores=4, minimum=2)) == 5
    with pytest.raises(OverQuota) as refused:
        reserve(database, 8, cores=4, minimum=2)
    assert refused.value.overs == ("cores",)


def test_several_limits_are_named(database):
    with pytest.raises(OverQuota) as refused:
        reserve(database, 11, cores=3, ram=10)
    assert str(refused.value) == (
        "Quota exceeded for cores, instances: Requested 33, 11, but already used 0, 0 of 20, 10 cores, instances"
    )


def test_limit_of_a_user(database):
    now = ManualClock().now()
    database.write(quotas.set_limits, "p1", "u1", {"instances": 2}, now=now)
    reserve(database, 2)
    with pytest.raises(OverQuota):
        reserve(database, 1)
    reserve(database, 8, user="u2")
    with pytest.raises(OverQuota):
        reserve(database, 1, user="u2")


def test_unlimited(database):
    database.write(quotas.set_limits, "p1", None, {"instances": -1, "cores": -1, "ram": -1}, now=ManualClock().now())
    assert len(reserve(database, 30, cores=8, ram=8192)) == 30


def test_exact_under_concurrency(database):
    granted, refused = [], []

    def work():
        for _ in range(3):
            try:
                granted.extend(reserve(database, 1))
            except OverQuota:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(granted), len(refused)) == (10, 14)
    assert database.fetch(quotas.usage, "p1").instances == 10


def test_unconfirmed_rows_are_found_by_cell(database):
    granted = reserve(database, 3)
    assert database.fetch(mappings.unconfirmed, 60_000) == {}
    assert {cell: sorted(found) for cell, found in database.fetch(mappings.unconfirmed, -1000).items()} == {"cell1": sorted(granted)}
    database.write(mappings.confirm, granted[:1])
    database.write(mappings.release, granted[1])
    assert database.fetch(mappings.unconfirmed, -1000) == {"cell1": [granted[2]]}
    database.write(mappings.forget, granted[2:])
    assert database.fetch(mappings.unconfirmed, -1000) == {}
