"""The best fake of a real Neutron that there is: our own network API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson
from webob import Request

from novalike.api.http.application import CONTEXT_KEY
from novalike.api.network.app import application
from novalike.context import RequestContext
from novalike.network.local.service import LocalNetworks
from tests.fakes import services as fakes
from tests.unit.network.local.conftest import ALICE

SERVICE = RequestContext(user_id="nova", project_id="service", roles=("admin", "service"), is_admin=True)


class Neutron:
    """The API as the client sends to it."""

    def __init__(self, sqlite: Any) -> None:
        made = fakes.services(sqlite)
        self.local = LocalNetworks(made.conf, made.cells, made.clock)
        self.app = application(replace(made, local={"network": self.local}))
        self.sent: list[tuple[str, str]] = []

    def __call__(self, method: str, path: str, params: Any, body: Any) -> tuple[int, Any]:
        self.sent.append((method, path))
        request = Request.blank(f"/v2.0{path}?{urlencode(params, doseq=True)}", method=method)
        request.environ[CONTEXT_KEY] = SERVICE
        if body is not None:
            request.body, request.content_type = orjson.dumps(body), "application/json"
        response = request.get_response(self.app)
        return response.status_int, orjson.loads(response.body) if response.body else None

    def network(self, ctxt: RequestContext = ALICE, cidr: str = "10.0.0.0/24", **values: Any) -> Any:
        network = self.local.networks.create(ctxt, [{"name": "net", **values}])[0]
        self.local.subnets.create(ctxt, [{"network_id": network.id, "cidr": cidr}])
        return network
