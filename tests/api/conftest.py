"""A Compute API on SQLite, and callers of it."""

from __future__ import annotations

import pytest

from novalike.api.openstack.app import application
from tests.api import client
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
