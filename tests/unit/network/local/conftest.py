"""A network service on a fresh database, and two callers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from oslo_config import cfg

from novalike.clock import ManualClock
from novalike.conf import network as section
from novalike.conf import service
from novalike.context import RequestContext
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.network.local.service import LocalNetworks
from novalike.objects.flavor import Flavor
from novalike.objects.instance import Instance
from novalike.objects.network import Network, NetworkSubnet
from novalike.objects.tasks import Caller

ALICE = RequestContext(user_id="alice", project_id="a" * 32, roles=("member", "reader"))
BOB = RequestContext(user_id="bob", project_id="b" * 32, roles=("member", "reader"))
ADMIN = RequestContext(user_id="admin", project_id="c" * 32, roles=("admin", "member", "reader"), is_admin=True)


@dataclass
class Cloud:
    """The service under test, and whom it rang."""

    database: Database
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rung: list[tuple[str, int]] = []
        self.clock = ManualClock()
        self.service = LocalNetworks(
            load(**self.settings), Cells.single(self.database), self.clock, lambda host, revision: self.rung.append((host, revision)),
        )
        self.client = self.service.client

    def network(self, ctxt: RequestContext = ALICE, cidr: str | None = "10.0.0.0/24", **values: Any) -> Network:
        """Make a network, with one subnet unless told otherwise."""
        subnet = values.pop("subnet", {})
        network = self.service.networks.create(ctxt, [{"name": "net", **values}])[0]
        if cidr is not None:
            self.subnet(network, ctxt, cidr=cidr, **subnet)
        return self.service.networks.get(ctxt, network.id)

    def subnet(self, network: Network, ctxt: RequestContext = ALICE, **values: Any) -> NetworkSubnet:
        return self.service.subnets.create(ctxt, [{"network_id": network.id, **values}])[0]

    def port(self, network: Network, ctxt: RequestContext = ALICE, **values: Any) -> Any:
        return self.service.ports.create(ctxt, [{"network_id": network.id, **values}])[0]


def load(**settings: Any) -> cfg.ConfigOpts:
    """Answer our section alone."""
    conf = cfg.ConfigOpts()
    conf.register_opts(section.OPTIONS, group=section.GROUP)
    conf.register_opts(service.OPTIONS, group=service.GROUP)
    conf([], default_config_files=[])
    for name, value in settings.items():
        group, _, option = name.partition("__")
        conf.set_override(option, value, group=group)
    return conf


def caller(ctxt: RequestContext = ALICE) -> Caller:
    return Caller(user_id=ctxt.user_id or "", project_id=ctxt.project_id or "", request_id="req-1")


def server(ctxt: RequestContext = ALICE, **values: Any) -> Instance:
    return Instance(**{
        "id": 1, "uuid": str(uuid.uuid4()), "project_id": ctxt.project_id, "user_id": ctxt.user_id, "display_name": "one",
        "hostname": "one", "vm_state": "building", "flavor": Flavor(flavorid="1", name="tiny", vcpus=1, memory_mb=64, root_gb=0),
        **values,
    })


@pytest.fixture
def cloud(sqlite: Database) -> Iterator[Cloud]:
    return Cloud(sqlite)
