"""First line of every test run: the concurrency switch. Then what tests of all kinds share."""

# ruff: noqa: E402, I001
from novalike import concurrency

concurrency.setup()

import os
import uuid
from collections.abc import Iterator

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


@pytest.fixture
def sqlite(sqlite_url) -> Iterator[Database]:
    """A fresh SQLite database with all tables."""
    database = Database(sqlite_url)
    schema.create(database)
    yield database
    database.dispose()


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb), pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request, tmp_path) -> Iterator[Database]:
    """The same test on each database we support; each time a fresh one with all tables."""
    if request.param == "sqlite":
        fresh = Database(f"sqlite:///{tmp_path}/novalike.db")
        schema.create(fresh)
        yield fresh
        fresh.dispose()
        return
    yield from _on_server(server_url(request.param))


@pytest.fixture
def mariadb() -> Iterator[Database]:
    """A fresh MariaDB database with all tables."""
    yield from _on_server(server_url("mariadb"))


def _on_server(base: str) -> Iterator[Database]:
    name = f"t{uuid.uuid4().hex[:12]}"
    url = sa.make_url(base)
    # AUTOCOMMIT: PostgreSQL creates no database inside a transaction.
    admin = sa.create_engine(url.set(database="postgres" if url.get_backend_name() == "postgresql" else None), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    fresh = Database(url.set(database=name).render_as_string(hide_password=False))
    try:
        schema.create(fresh)
        yield fresh
    finally:
        fresh.dispose()
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}" + (" WITH (FORCE)" if url.get_backend_name() == "postgresql" else ""))
        admin.dispose()
