"""Host aggregates and zones."""

from datetime import datetime

import pytest

from novalike.db import aggregates
from novalike.exception import Conflict, Duplicate, Invalid, NotFound

NOW = datetime.fromisoformat("2026-01-02T03:04:05")


def _create(database, name, **values):
    return database.write(aggregates.create_aggregate, name=name, now=NOW, **values)


def test_zones_and_metadata_of_hosts(database):
    az1 = _create(database, "a", availability_zone="az1", metadata={"ssd": "true"})
    ssd = _create(database, "b", metadata={"ssd": "maybe"})
    for aggregate in (az1, ssd):
        database.write(aggregates.add_host, aggregate.id, "h1", now=NOW)
    with database.read() as session:
        known = aggregates.list_aggregates(session)
        assert [one.name for one in aggregates.list_aggregates(session, host="h1")] == ["a", "b"]
    assert aggregates.zones_of_hosts(known) == {"h1": "az1"}
    assert aggregates.metadata_of_hosts(known)["h1"]["ssd"] == {"true", "maybe"}


def test_a_host_is_in_one_zone_only(database):
    first, second, third = (_create(database, name, availability_zone=zone) for name, zone in (("a", "az1"), ("b", "az2"), ("c", None)))
    database.write(aggregates.add_host, first.id, "h1", now=NOW)
    with pytest.raises(Conflict):
        database.write(aggregates.add_host, second.id, "h1", now=NOW)
    database.write(aggregates.add_host, third.id, "h1", now=NOW)
    with pytest.raises(Invalid):
        database.write(aggregates.update_aggregate, third.id, availability_zone="az2", now=NOW)
    with pytest.raises(Invalid):
        database.write(aggregates.set_metadata, third.id, {"availability_zone": "az2"}, now=NOW)
    assert database.write(aggregates.update_aggregate, third.id, availability_zone="az1", now=NOW).availability_zone == "az1"


def test_names_hosts_and_deletion(database):
    one = _create(database, "a")
    with pytest.raises(Duplicate):
        _create(database, "a")
    other = _create(database, "b")
    with pytest.raises(Duplicate):
        database.write(aggregates.update_aggregate, other.id, name="a", now=NOW)
    database.write(aggregates.add_host, one.id, "h", now=NOW)
    with pytest.raises(Duplicate):
        database.write(aggregates.add_host, one.id, "h", now=NOW)
    with pytest.raises(Invalid):
        database.write(aggregates.delete_aggregate, one.id)
    with pytest.raises(NotFound):
        database.write(aggregates.remove_host, one.id, "x", now=NOW)
    database.write(aggregates.remove_host, one.id, "h", now=NOW)
    database.write(aggregates.delete_aggregate, one.id)
    with database.read() as session, pytest.raises(NotFound):
        aggregates.get_aggregate(session, one.id)


def test_a_value_of_none_removes_a_key(database):
    one = _create(database, "a", availability_zone="az1", metadata={"x": "1", "y": "2"})
    changed = database.write(aggregates.set_metadata, one.id, {"x": None, "z": "3"}, now=NOW)
    assert changed.metadata == {"availability_zone": "az1", "y": "2", "z": "3"}
