"""The Compute API in front of a simulated cloud: real requests in, real tasks and orders behind, no threads, no waiting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from novalike import policies
from novalike.api.openstack.app import application
from novalike.api.services import ApiServices
from novalike.clock import Clock
from novalike.db import flavors, keys
from novalike.objects.instance import Instance
from novalike.policy import Enforcer
from novalike.vault import Vault
from tests import factories
from tests.api import client
from tests.fakes.services import FakeIdentity
from tests.laws.cloud import Mail, SimulatedCloud

IMAGE, OTHER_IMAGE = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


class Doorbell:
    """Puts everything on the wire at once."""

    def __init__(self, cloud: SimulatedCloud) -> None:
        self._cloud = cloud

    def ring(self, ctxt: Any, task_ids: list[str]) -> None:
        for task_id in task_ids:
            self._cloud.ring(task_id)

    def post(self, send: Any) -> None:
        send()


class Patience(Clock):
    """Whoever waits lets messages flow and sweeps run meanwhile."""

    def __init__(self, cloud: SimulatedCloud) -> None:
        self._cloud = cloud

    def sleep(self, seconds: float) -> None:
        self._cloud.deliver()
        self._cloud.sweep()


class Networks:
    """The cloud's ports, and checks at accept which find nothing wrong."""

    def __init__(self, cloud: SimulatedCloud) -> None:
        self._cloud = cloud

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cloud.ports, name)

    def validate(self, ctxt: Any, requested: Any, *, count: int, security_groups: tuple[str, ...] = ()) -> Any:
        return requested or ()


class ApiCloud:
    """Two fake hosts, a conductor, a scheduler, and an API with callers: `member` and `admin`."""

    def __init__(self, home: Path, **options: Any) -> None:
        self.cloud = SimulatedCloud(home, **options)
        self.cloud.vault = Vault(keys.key(self.cloud.cells.shared, Vault.NAME))
        self.cloud.start_conductor()
        for image in (IMAGE, OTHER_IMAGE):
            self.cloud.images.add(factories.image(id=image, owner=client.PROJECT, properties={"hw_qemu_guest_agent": "yes"}))
        for number, memory in (("1", 512), ("2", 1024)):
            self.cloud.database.write(
                flavors.create, factories.flavor(flavorid=number, name=f"f{number}", vcpus=1, memory_mb=memory, root_gb=int(number)),
                now=factories.NOW,
            )
        cloud, conf = self.cloud, self.cloud.conf
        self.services = ApiServices(
            conf=conf, clock=Patience(cloud), cells=cloud.cells, enforcer=Enforcer(conf, policies.list_rules()),
            doorbell=Doorbell(cloud), compute=self._compute, identity=FakeIdentity(), images=cloud.images,  # type: ignore[arg-type]
            networks=Networks(cloud), volumes=cloud.volumes, notifier=cloud.notifier,  # type: ignore[arg-type]
        )
        app = application(self.services)
        self.member = client.Client(app, client.context(), version="2.95")
        self.admin = client.Client(app, client.context(*client.ADMIN), version="2.95")

    def _compute(self, interface: type, host: str) -> Any:
        return Mail(self.cloud.wire, interface, host, lambda: self.cloud.hosts[host].endpoint(interface), lambda name: None)

    def boot(self, **settings: Any) -> str:
        """Create a server and wait until it is active."""
        body = {"name": "m", "flavorRef": "1", "imageRef": IMAGE, "networks": "none", **settings}
        answer = self.member.at("2.95").post("/servers", {"server": body})
        assert answer.status == 202, answer.json
        uuid = str(answer.json["server"]["id"])
        self.cloud.settle()
        assert self.server(uuid).vm_state == "active", self.server(uuid).fault
        return uuid

    def act(self, uuid: str, word: str, body: Any = None, *, admin: bool = False) -> Any:
        """Ask for an action and answer the answer; nothing is delivered yet."""
        caller = self.admin if admin else self.member
        if word == "DELETE":
            return caller.delete(f"/servers/{uuid}")
        return caller.post(f"/servers/{uuid}/action", {word: body})

    def do(self, uuid: str, word: str, body: Any = None) -> None:
        """Have an action done, by an admin."""
        answer = self.act(uuid, word, body, admin=True)
        assert answer.status in (200, 202, 204), f"{word}: {answer.json}"
        self.cloud.settle()

    def server(self, uuid: str) -> Instance:
        """Answer the server as it is."""
        found: Instance = self.cloud.server(uuid)
        return found

    def close(self) -> None:
        """End it."""
        self.cloud.close()
