"""Lists of servers: filters, orders and pages, the same on every database."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from novalike.db import instance_lists, instances
from novalike.db.cells import Cells
from novalike.db.instance_lists import Filters, Order
from novalike.db.models.instances import InstanceRow
from novalike.exception import Invalid
from novalike.objects import states
from tests import factories
from tests.factories import NOW


@pytest.fixture
def store(database):
    def store(*servers):
        return database.write(instances.create, [factories.instance(**values) for values in servers])
    return store


def names(database, order=None, **filters):
    found = instance_lists.page(Cells.single(database), Filters(**filters), order or Order(keys=(("display_name", False),)))
    return [record.display_name for record in found]


def named(*texts):
    return [{"display_name": text} for text in texts]


def test_newest_first_and_ties_by_id(database, store):
    store({"display_name": "a", "created_at": NOW}, {"display_name": "b", "created_at": NOW + timedelta(seconds=1)},
          {"display_name": "c", "created_at": NOW})
    assert names(database, Order()) == ["b", "c", "a"]


@pytest.mark.parametrize("keys", [
    (("created_at", True),), (("created_at", False),), (("display_name", True),), (("launched_at", False),), (("task_state", True),),
    (("host", False), ("display_name", True)), (("display_description", False),), (("vm_state", True), ("updated_at", False)),
])
def test_pages_are_the_whole_list_whatever_the_order(database, store, keys):
    store(*(
        {
            "display_name": f"s{n % 4}", "launched_at": None if n % 3 else NOW + timedelta(seconds=n), "host": None if n % 2 else f"h{n % 5}",
            "task_state": "deleting" if n % 4 == 0 else None, "description": f"d{n % 3}" if n % 2 else None,
            "created_at": NOW + timedelta(seconds=n % 5),
        } for n in range(17)
    ))
    whole = [r.uuid for r in instance_lists.page(Cells.single(database), Filters(), Order(keys=keys))]
    assert len(set(whole)) == 17
    paged, marker = [], None
    while True:
        page = instance_lists.page(Cells.single(database), Filters(), Order(keys=keys, limit=4, marker=marker))
        if not page:
            break
        paged += [r.uuid for r in page]
        marker = paged[-1]
    assert paged == whole


def test_unknown_marker(database):
    with pytest.raises(Invalid, match="marker \\[nothing\\] not found"):
        instance_lists.page(Cells.single(database), Filters(), Order(marker="nothing"))


def test_names_by_pattern(database, store):
    store(*named("Web-1", "web-2", "db_1", "100%"))
    assert names(database, patterns=(("display_name", "web"),)) == ["Web-1", "web-2"]
    assert names(database, patterns=(("display_name", "^web-[0-9]$"),)) == ["Web-1", "web-2"]
    assert names(database, patterns=(("display_name", "_"),)) == ["db_1"]
    assert names(database, patterns=(("display_name", "%"),)) == ["100%"]


def test_patterns_page_exactly(database, store):
    store(*named(*(f"n{n:02}" for n in range(30))))
    order = Order(keys=(("display_name", False),), limit=3)
    assert names(database, order, patterns=(("display_name", "[05]$"),)) == ["n00", "n05", "n10"]


@pytest.mark.parametrize(("status", "expected"), [
    ("active", ["idle"]), ("REBOOT", ["rebooting"]), ("error", ["broken"]), ("SHUTOFF", ["off"]), ("build", []),
])
def test_status(database, store, status, expected):
    store({"display_name": "idle"}, {"display_name": "rebooting", "task_state": "rebooting"},
          {"display_name": "broken", "vm_state": "error"}, {"display_name": "off", "vm_state": "stopped"})
    assert names(database, states=states.states_of_status(status)) == expected


def test_project_deleted_and_soft_deleted(database, store):
    store({"display_name": "mine"}, {"display_name": "theirs", "project_id": "p2"},
          {"display_name": "gone", "deleted": True, "vm_state": "deleted"}, {"display_name": "soft", "vm_state": "soft-delete"})
    assert names(database) == ["mine", "theirs"]
    assert names(database, project_id="p1") == ["mine"]
    assert names(database, deleted=True) == ["gone"]
    assert names(database, soft_deleted=True) == ["mine", "soft", "theirs"]
    assert names(database, deleted=None, changed_since=NOW) == ["gone", "mine", "theirs"]
    assert names(database, changed_since=NOW + timedelta(seconds=1)) == []
    assert names(database, changed_before=NOW) == ["mine", "theirs"]


def test_tags(database, store):
    store({"display_name": "ab", "tags": ("a", "b")}, {"display_name": "b", "tags": ("b",)}, {"display_name": "none"})
    assert names(database, tags=("a", "b")) == ["ab"]
    assert names(database, tags_any=("a", "b")) == ["ab", "b"]
    assert names(database, not_tags=("a", "b")) == ["b", "none"]
    assert names(database, not_tags_any=("a",)) == ["b", "none"]


def test_addresses_metadata_and_documents(database, store):
    store({"display_name": "v4", "network_info": (factories.vif("10.0.0.5", floating=("203.0.113.9",)),), "description": "first"},
          {"display_name": "v6", "network_info": (factories.vif("fd00::5"),), "metadata": {"tier": "web"}})
    assert names(database, addresses=((4, "^10\\.0"),)) == ["v4"]
    assert names(database, addresses=((4, "203.0.113.9"),)) == ["v4"]
    assert names(database, addresses=((6, "fd00"),)) == ["v6"]
    assert names(database, metadata=(("tier", "web"),)) == ["v6"]
    assert names(database, document=(("description", "first"),)) == ["v4"]


def test_columns_and_locks(database, store):
    store({"display_name": "locked", "locked_by": "owner", "host": "h1"}, {"display_name": "open", "config_drive": True})
    assert names(database, locked=True) == ["locked"]
    assert names(database, locked=False) == ["open"]
    assert names(database, equal=(("host", "h1"),)) == ["locked"]
    assert names(database, equal=(("config_drive", 1),)) == ["open"]


def test_cells_are_merged_in_order(tmp_path, sqlite):
    from novalike.db.engine import Database
    from tests import schema
    second = Database(f"sqlite:///{tmp_path}/second.db")
    schema.create(second)
    for number in range(6):
        (sqlite, second)[number % 2].write(instances.create, [factories.instance(display_name=f"n{number}")])
    cells = Cells(sqlite, {"one": sqlite, "two": second})
    order = Order(keys=(("display_name", False),), limit=4)
    first = instance_lists.page(cells, Filters(), order)
    rest = instance_lists.page(cells, Filters(), Order(keys=order.keys, limit=4, marker=first[-1].uuid))
    assert [r.display_name for r in [*first, *rest]] == ["n0", "n1", "n2", "n3", "n4", "n5"]
    second.dispose()


def test_volumes(database, store):
    from novalike.db.models.instances import BlockDeviceRow
    [one, other] = store({}, {})
    database.write(lambda session: session.add(BlockDeviceRow(
        uuid="b1", instance_uuid=one.uuid, source_type="volume", destination_type="volume", volume_id="v1", delete_on_termination=1,
        document={}, created_at=NOW,
    )))
    assert database.fetch(instance_lists.volumes, [one.uuid, other.uuid]) == {one.uuid: [("v1", True)]}
    assert database.fetch(lambda s: s.scalar(sa.select(sa.func.count()).select_from(InstanceRow))) == 2
