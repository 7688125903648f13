"""Flavors on every database: who sees which, sorting, paging, extra specs, access."""

from datetime import datetime

import pytest

from novalike.db import flavors
from novalike.exception import Conflict, Duplicate, Invalid, NotFound
from novalike.objects.flavor import Flavor

NOW = datetime(2026, 1, 1)  # noqa: DTZ001


def flavor(flavorid, *, name=None, **fields):
    return Flavor(**{"flavorid": flavorid, "name": name or f"name-{flavorid}", "vcpus": 1, "memory_mb": 512, "root_gb": 1, **fields})


def create(database, *made, project_ids=()):
    return [database.write(flavors.create, one, now=NOW, project_ids=project_ids) for one in made]


def ids(database, **arguments):
    arguments.setdefault("project_id", "p1")
    with database.read() as session:
        return [one.flavorid for one in flavors.list_page(session, **arguments)]


def test_a_flavor_comes_back_as_it_was_stored(database):
    [stored] = create(database, flavor("a", description="Größe", extra_specs={"hw:x": "1"}, swap_mb=64, rxtx_factor=1.5))
    with database.read() as session:
        assert flavors.get_by_flavorid(session, "a", None, False) == stored


def test_name_and_id_are_unique(database):
    create(database, flavor("a", name="small"))
    with pytest.raises(Duplicate, match="ID a already"):
        create(database, flavor("a"))
    with pytest.raises(Duplicate, match="name small already"):
        create(database, flavor("b", name="small"))


def test_private_flavors_are_for_projects_with_access_and_admins(database):
    create(database, flavor("open"), flavor("closed", is_public=False))
    database.write(flavors.add_access, "closed", "p1")
    with database.read() as session:
        assert flavors.get_by_flavorid(session, "closed", "p1", False).flavorid == "closed"
        assert flavors.get_by_flavorid(session, "closed", "p2", True).flavorid == "closed"
        with pytest.raises(NotFound, match="closed could not be found"):
            flavors.get_by_flavorid(session, "closed", "p2", False)
    assert ids(database, project_id="p1") == ["closed", "open"]
    assert ids(database, project_id="p2") == ["open"]
    assert ids(database, is_public=None) == ["closed", "open"]
    assert ids(database, is_public=False) == ["closed"]


def test_pages_cover_the_list_once_in_both_directions(database):
    create(database, *(flavor(f"f{n}", memory_mb=512 * (n % 3 + 1)) for n in range(7)))
    for descending in (False, True):
        whole = ids(database, sort_key="memory_mb", descending=descending)
        paged, marker = [], None
        while page := ids(database, sort_key="memory_mb", descending=descending, limit=3, marker=marker):
            paged += page
            marker = page[-1]
        assert paged == whole
        assert len(set(whole)) == 7


@pytest.mark.parametrize("key", sorted(flavors.SORT_KEYS))
def test_every_sort_key_sorts_and_pages(sqlite, key):
    create(sqlite, flavor("a"), flavor("b", description="x"), flavor("c", is_public=True, vcpus=4))
    assert len(ids(sqlite, sort_key=key)) == 3
    first = ids(sqlite, sort_key=key, limit=1)
    assert len(ids(sqlite, sort_key=key, marker=first[0])) == 2


def test_filters(sqlite):
    create(sqlite, flavor("a"), flavor("b", memory_mb=1024), flavor("c", root_gb=20, name="big"), flavor("d", disabled=True))
    assert ids(sqlite, min_ram=1000) == ["b"]
    assert ids(sqlite, min_disk=2) == ["c"]
    assert ids(sqlite, name="big") == ["c"]
    assert ids(sqlite, include_disabled=True) == ["a", "b", "c", "d"]


def test_unknown_sort_key_and_marker_are_refused(sqlite):
    with pytest.raises(Invalid, match="Sort key"):
        ids(sqlite, sort_key="secret")
    with pytest.raises(Invalid, match=r"marker \[nope\] not found"):
        ids(sqlite, marker="nope")


def test_extra_specs_are_merged_and_removed(database):
    create(database, flavor("a", extra_specs={"x": "1"}))
    database.write(flavors.set_extra_specs, "a", {"x": "2", "y": "3"}, now=NOW)
    database.write(flavors.delete_extra_spec, "a", "x", now=NOW)
    with database.read() as session:
        assert flavors.get_by_flavorid(session, "a", None, True).extra_specs == {"y": "3"}
    with pytest.raises(NotFound, match="no extra specs with key x"):
        database.write(flavors.delete_extra_spec, "a", "x", now=NOW)


def test_access_is_granted_once_and_revoked_once(database):
    create(database, flavor("a", is_public=False))
    database.write(flavors.add_access, "a", "p1")
    with pytest.raises(Conflict):
        database.write(flavors.add_access, "a", "p1")
    database.write(flavors.add_access, "a", "p0")
    with database.read() as session:
        assert flavors.list_access(session, "a") == ["p1", "p0"]
    database.write(flavors.remove_access, "a", "p1")
    with pytest.raises(NotFound):
        database.write(flavors.remove_access, "a", "p1")
    with database.read() as session, pytest.raises(NotFound):
        flavors.list_access(session, "b")


def test_description_and_deletion(database):
    create(database, flavor("a", is_public=False), project_ids=("p1",))
    assert database.write(flavors.update_description, "a", "new", now=NOW).description == "new"
    assert database.write(flavors.update_description, "a", None, now=NOW).description is None
    database.write(flavors.delete, "a")
    assert ids(database) == []
    for call in (lambda: database.write(flavors.delete, "a"), lambda: database.write(flavors.update_description, "a", "x", now=NOW)):
        with pytest.raises(NotFound, match="Flavor a could not be found"):
            call()
