"""First line of every test run: the concurrency switch. Then what tests of all kinds share."""

# ruff: noqa: E402
from novalike import concurrency

concurrency.setup()

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from novalike.db.engine import Database
from tests import schema

#: Where devstack/test started the real servers. A test which needs one that is absent is skipped, unless
#: NOVALIKE_TEST_REQUIRE=1, which devstack/test sets: then it fails.
SERVERS = {
    "mariadb": "NOVALIKE_TEST_MARIADB",        # mysql+pymysql://root@127.0.0.1:PORT/
    "postgresql": "NOVALIKE_TEST_POSTGRESQL",  # postgresql+psycopg://USER@127.0.0.1:PORT/
    "rabbitmq": "NOVALIKE_TEST_RABBITMQ",      # rabbit://guest:guest@127.0.0.1:PORT/
}


def server_url(name: str) -> str:
    """Answer a real server's URL, or skip (or fail) the test that asks."""
    url = os.environ.get(SERVERS[name])
    if not url:
        complain = pytest.fail if os.environ.get("NOVALIKE_TEST_REQUIRE") == "1" else pytest.skip
        complain(f"{SERVERS[name]} is not set; run ./devstack/test")
    return url


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/novalike.db"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """An SQLite file with all tables, to copy: making them costs more than most tests."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    made = Database(f"sqlite:///{path}")
    schema.create(made)
    made.dispose()
    return path


@pytest.fixture
def sqlite(sqlite_url, sqlite_template) -> Iterator[Database]:
    """A fresh SQLite database with all tables."""
    shutil.copyfile(sqlite_template, sa.make_url(sqlite_url).database)
    database = Database(sqlite_url)
    yield database
    database.dispose()


_EACH = ["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb), pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=_EACH)
def database(request, server_databases) -> Iterator[Database]:
    """The same test on each database we support; each time one with all tables, and nothing in them."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    yield from server_databases.emptied(server_url(request.param))


@pytest.fixture
def mariadb(server_databases) -> Iterator[Database]:
    """A MariaDB database with all tables, and nothing in them."""
    yield from server_databases.emptied(server_url("mariadb"))


@pytest.fixture(params=_EACH)
def bare_database(request, tmp_path) -> Iterator[Database]:
    """A new database without tables, on each server: for tests which change the tables themselves."""
    if request.param == "sqlite":
        fresh = Database(f"sqlite:///{tmp_path}/bare.db")
        yield fresh
        fresh.dispose()
        return
    base = server_url(request.param)
    url = _create(base)
    fresh = Database(url)
    try:
        yield fresh
    finally:
        fresh.dispose()
        _drop(base, url)


class ServerDatabases:
    """One database per server and test run: making all tables takes half a second, emptying them a few milliseconds."""

    def __init__(self) -> None:
        self._urls: dict[str, str] = {}

    def emptied(self, base: str) -> Iterator[Database]:
        """Lend the server's database, and empty its tables afterwards. Numbers of rows go on from test to test."""
        if base not in self._urls:
            url = _create(base)
            fresh = Database(url)
            schema.create(fresh)
            fresh.dispose()
            self._urls[base] = url
        lent = Database(self._urls[base])
        try:
            yield lent
        finally:
            lent.dispose()
            self._empty(base)

    def _empty(self, base: str) -> None:
        engine = sa.create_engine(self._urls[base])
        try:
            with engine.begin() as connection:
                # A test which left a transaction open must not hold up the next: that one gets a new database.
                statement = "SET lock_timeout = '3s'" if engine.dialect.name == "postgresql" else "SET innodb_lock_wait_timeout = 3"
                connection.exec_driver_sql(statement)
                for table in schema.tables():
                    connection.execute(sa.delete(table))
        except sa.exc.DBAPIError:
            self._abandoned(base)
        finally:
            engine.dispose()

    def _abandoned(self, base: str) -> None:
        del self._urls[base]                     # dropped with the server: whoever holds the lock would block that, too

    def drop(self) -> None:
        for base, url in self._urls.items():
            _drop(base, url)


@pytest.fixture(scope="session")
def server_databases() -> Iterator[ServerDatabases]:
    databases = ServerDatabases()
    yield databases
    databases.drop()


def _create(base: str) -> str:
    name = f"t{uuid.uuid4().hex[:12]}"
    with _administrating(base) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return sa.make_url(base).set(database=name).render_as_string(hide_password=False)


def _drop(base: str, url: str) -> None:
    with _administrating(base) as connection:
        force = " WITH (FORCE)" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP DATABASE {sa.make_url(url).database}{force}")


@contextmanager
def _administrating(base: str) -> Iterator[sa.Connection]:
    url = sa.make_url(base)
    # AUTOCOMMIT: PostgreSQL creates no database inside a transaction.
    admin = sa.create_engine(url.set(database="postgres" if url.get_backend_name() == "postgresql" else None), isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            yield connection
    finally:
        admin.dispose()
