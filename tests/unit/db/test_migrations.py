"""Migrations and models agree, on each database; and a start of a current database costs next to nothing."""

import subprocess
import sys
import time

import sqlalchemy as sa

from novalike.db import migrations
from novalike.db.cells import Cells
from novalike.db.engine import Database


def test_migrations_make_what_the_models_say(bare_database):
    empty = bare_database
    cells = Cells.single(empty)
    assert [migrations.current(empty, which) for which in migrations.BOTH] == [None, None]
    assert migrations.sync(cells) == ("global", "cell cell1")
    for which in migrations.BOTH:
        assert migrations.current(empty, which) == migrations.head(which)
        assert migrations.differences(empty, which) == [], (
            "models and migrations differ: python -m novalike.db.migrations revision -m '...'"
        )
    assert migrations.sync(cells) == ()


def test_tables_have_the_same_indexes_either_way(sqlite, tmp_path):
    synced = Database(f"sqlite:///{tmp_path}/synced.db")
    migrations.sync(Cells.single(synced))
    query = sa.text("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    with sqlite.read() as models, synced.read() as migrated:
        ours = [row for row in migrated.execute(query).all() if not row.tbl_name.startswith("alembic_version")]
        assert models.execute(query).all() == ours
    synced.dispose()


def test_a_current_database_is_synced_without_alembic(sqlite_url):
    """novalike-all syncs at every start: it must not even load alembic when there is nothing to do."""
    database = Database(sqlite_url)
    migrations.sync(Cells.single(database))
    started = time.perf_counter()
    assert migrations.sync(Cells.single(database)) == ()
    assert time.perf_counter() - started < 0.15
    database.dispose()
    code = (
        "import sys; from novalike.db import migrations; from novalike.db.engine import Database; "
        "from novalike.db.cells import Cells; "
        f"assert migrations.sync(Cells.single(Database({sqlite_url!r}))) == (); "
        "sys.exit('alembic.command' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_table_is_in_exactly_one_metadata():
    tables = [set(migrations.metadata(which).tables) for which in migrations.BOTH]
    assert not tables[0] & tables[1]
    for which in migrations.BOTH:
        for table in migrations.metadata(which).tables.values():
            for key in table.foreign_keys:
                assert key.target_fullname.split(".")[0] in migrations.metadata(which).tables, f"{table.name} points out of {which}"
