"""A local identity service with its API behind the real authentication middleware, on SQLite."""

from __future__ import annotations

from dataclasses import replace

import pytest

from novalike.api.identity.app import application
from novalike.api.middleware.pipeline import behind_authentication
from novalike.clock import Clock
from novalike.db.cells import Cells
from novalike.identity.local.service import LocalIdentity
from tests.api.identity.client import Client
from tests.fakes import services as fakes


@pytest.fixture
def services(sqlite):
    # The machine's clock: auth_token compares expiry with it.
    made = fakes.services(sqlite, clock=Clock(), identity__password_hash_rounds=4)
    identity = LocalIdentity(made.conf, Cells.single(sqlite), made.clock)
    identity.bootstrap(admin_password="secret", demo_password="demo")
    return replace(made, local={"identity": identity})


@pytest.fixture
def identity(services) -> LocalIdentity:
    return services.local["identity"]


@pytest.fixture
def app(services):
    return behind_authentication(application(services), services, service_type="identity")


@pytest.fixture
def anyone(app) -> Client:
    return Client(app)


@pytest.fixture
def admin(anyone) -> Client:
    return anyone.log_in("admin", "secret", project="admin")


@pytest.fixture
def demo(anyone) -> Client:
    return anyone.log_in("demo", "demo", project="demo")
