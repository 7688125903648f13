"""The network API on SQLite, and callers of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from novalike.api.network.app import application
from novalike.network.local.service import LocalNetworks
from tests.api import client
from tests.fakes import services as fakes


@pytest.fixture
def services(sqlite):
    made = fakes.services(sqlite)
    local = LocalNetworks(made.conf, made.cells, made.clock)
    return replace(made, networks=local.client, local={"network": local})


@pytest.fixture
def app(services):
    return application(services)


class Caller(client.Client):
    """A client which makes things in one line."""

    def make(self, one: str, path: str | None = None, **values: Any) -> Any:
        answer = self.post(f"/{path or one + 's'}", {one: values})
        assert answer.status == 201, answer.json
        return answer.json[one]


def caller(app, context) -> Caller:
    return Caller(app, context, prefix="/v2.0")


@pytest.fixture
def member(app) -> Caller:
    return caller(app, client.context())


@pytest.fixture
def reader(app) -> Caller:
    return caller(app, client.context("reader"))


@pytest.fixture
def admin(app) -> Caller:
    return caller(app, client.context(*client.ADMIN, project="adm1n"))


@pytest.fixture
def stranger(app) -> Caller:
    return caller(app, client.context(project="0ther", user="other-user"))


@pytest.fixture
def nobody(app) -> Caller:
    return caller(app, None)
