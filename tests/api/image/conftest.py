"""A local image service with its API, on SQLite and a temporary store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from novalike.api.image.app import application
from novalike.api.middleware.pipeline import behind_authentication
from novalike.clock import Clock
from novalike.db.cells import Cells
from novalike.identity.local.service import LocalIdentity
from novalike.image.local.service import LocalImages
from tests.api.client import context
from tests.api.image.client import Client
from tests.fakes import services as fakes


@pytest.fixture
def services(sqlite, tmp_path):
    made = fakes.services(sqlite, clock=Clock(), identity__password_hash_rounds=4, image__store_directory=str(tmp_path / "store"))
    cells = Cells.single(sqlite)
    return replace(made, local={"identity": LocalIdentity(made.conf, cells, made.clock), "image": LocalImages(made.conf, cells, made.clock)})


@pytest.fixture
def images(services) -> LocalImages:
    return services.local["image"]


@pytest.fixture
def app(services):
    """The API alone: tests put the caller's context in the environment."""
    return application(services)


@pytest.fixture
def guarded(services, app):
    """The API behind authentication."""
    services.local["identity"].bootstrap(admin_password="secret", demo_password="demo")
    return behind_authentication(app, services, service_type="image")


@pytest.fixture
def member(app) -> Client:
    return Client(app, context())


@pytest.fixture
def stranger(app) -> Client:
    return Client(app, context(project="0ther", user="other"))


@pytest.fixture
def reader(app) -> Client:
    return Client(app, context("reader"))


@pytest.fixture
def admin(app) -> Client:
    return Client(app, context("admin", "member", "reader", project="admin-project"))


@pytest.fixture
def nobody(app) -> Client:
    return Client(app, None)
