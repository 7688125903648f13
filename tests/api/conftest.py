"""A Compute API on SQLite, and callers of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from novalike.api.openstack import not_built
from novalike.api.openstack.app import application
from novalike.db.engine import Database
from tests import schema
from tests.api import client
from tests.api.world import World
from tests.fakes import services as fakes


@pytest.fixture
def services(sqlite):
    return fakes.services(sqlite)


@pytest.fixture
def app(services):
    return application(services)


@pytest.fixture
def member(app) -> client.Client:
    return client.Client(app, client.context())


@pytest.fixture
def reader(app) -> client.Client:
    return client.Client(app, client.context("reader"))


@pytest.fixture
def admin(app) -> client.Client:
    return client.Client(app, client.context(*client.ADMIN))


@pytest.fixture
def stranger(app) -> client.Client:
    """A member of another project."""
    return client.Client(app, client.context(project="0ther", user="other-user"))


@pytest.fixture
def nobody(app) -> client.Client:
    return client.Client(app, None)


@pytest.fixture(scope="session")
def _world(tmp_path_factory) -> Iterator[World]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('world')}/novalike.db")
    schema.create(database)
    made = World(database)
    yield made
    made.close()


@pytest.fixture
def world(_world) -> World:
    """A small cloud with one of each thing, as it was at first; the same one for all tests, as making it takes a second."""
    _world.restore()
    return _world


@pytest.fixture(scope="session")
def built(_world) -> set[tuple[str, str, str]]:
    """The keys of the operations which are built."""
    return {
        not_built.key(route.method, route.path, route.action)
        for route in _world.app.parts["v2.1"].routes if route.rule != not_built.RULE
    }
