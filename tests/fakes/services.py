"""An API process for tests: SQLite behind it, working fakes beside it, and a compute and doorbell which record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from novalike import conf as conf_module
from novalike import policies
from novalike.api.services import ApiServices
from novalike.clock import Clock, ManualClock
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.exception import Invalid, NotFound, Unavailable
from novalike.objects.network import SecurityGroup
from novalike.objects.network_info import ON_DEMAND
from novalike.policy import Enforcer
from tests.fakes.addresses import FakeAddresses
from tests.fakes.images import FakeImages
from tests.fakes.security_groups import FakeGroups


class RecordingDoorbell:
    """Keeps what would have been sent; messages posted are sent at once."""

    def __init__(self) -> None:
        self.rung: list[list[str]] = []

    def ring(self, ctxt: Any, task_ids: list[str]) -> None:
        self.rung.append(task_ids)

    def post(self, send: Callable[[], None]) -> None:
        send()


class FakeCompute:
    """Stands for every compute host: keeps what it is asked, answers console output from `consoles` and other calls from
    `answers` (method name -> answer, or the error to raise)."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, Any]]] = []      # host, method, arguments
        self.consoles: dict[str, str] = {}
        self.answers: dict[str, Any] = {}
        self.away: set[str] = set()

    def __call__(self, interface: type, host: str) -> Any:
        fake = self

        class Client:
            def __getattr__(self, name: str) -> Callable[..., Any]:
                def send(ctxt: Any, **arguments: Any) -> Any:
                    if host in fake.away:
                        raise Unavailable(f"No answer to {name} in 30 s.")
                    fake.sent.append((host, name, arguments))
                    if name == "console_output":
                        lines = fake.consoles.get(arguments["instance"].uuid, "").splitlines(keepends=True)
                        tail = arguments["tail"]
                        return "".join(lines if tail is None else lines[len(lines) - min(tail, len(lines)):])
                    answer = fake.answers.get(name)
                    if isinstance(answer, Exception):
                        raise answer
                    return answer
                return send
        return Client()


class FakeNetworks(FakeGroups, FakeAddresses):
    """Networks as id -> owner (None: shared); answers what was asked for."""

    def __init__(self, **owners: str | None) -> None:
        super().__init__()
        self.owners: dict[str, str | None] = dict(owners)
        self.groups: set[str] = {"default"}
        self.members: dict[str, set[str]] = {}      # by server

    def validate(self, ctxt: Any, requested: Any, *, count: int, security_groups: tuple[str, ...] = ()) -> Any:
        for group in security_groups:
            if group not in self.groups:
                raise Invalid(f"Security group {group} not found for project {ctxt.project_id}.")
        for network in requested or ():
            if network.network_id and self.owners.get(network.network_id, "") not in {None, ctxt.project_id}:
                raise Invalid(f"Network {network.network_id} could not be found.")
        return requested if requested not in {None, (ON_DEMAND,)} else ()

    def add_security_group(self, caller: Any, instance_uuid: str, group: str) -> None:
        if group not in self.groups:
            raise NotFound(f"Security group {group} not found.")
        self.members.setdefault(instance_uuid, set()).add(group)

    def remove_security_group(self, caller: Any, instance_uuid: str, group: str) -> None:
        if group not in self.members.get(instance_uuid, ()):
            raise NotFound(f"Security group {group} not associated with the instance {instance_uuid}")
        self.members[instance_uuid].remove(group)

    def groups_by_id(self, caller: Any, group_ids: Any) -> dict[str, SecurityGroup]:
        return {
            name: self.known.get(name) or SecurityGroup(id=name, name=name, project_id=caller.project_id) for name in group_ids
        }

    def security_groups(self, caller: Any, instance_uuid: str) -> tuple[SecurityGroup, ...]:
        return tuple(self.groups_by_id(caller, sorted(self.members.get(instance_uuid, ()))).values())

    def info(self, caller: Any, instance_uuid: str) -> tuple[Any, ...]:
        return ()


class FakeIdentity:
    """Knows every project and user but those named in `missing`."""

    def __init__(self) -> None:
        self.missing: set[str] = set()

    def project_exists(self, project_id: str) -> bool:
        return project_id not in self.missing

    def user_exists(self, user_id: str) -> bool:
        return user_id not in self.missing


def services(database: Database, *, clock: Clock | None = None, **options: Any) -> ApiServices:
    """Build ApiServices over a database with all tables; `options` are configuration as `section__option`."""
    conf = conf_module.load([], files=[], **options)
    return ApiServices(
        conf=conf, clock=clock or ManualClock(), cells=Cells.single(database), enforcer=Enforcer(conf, policies.list_rules()),
        doorbell=RecordingDoorbell(), compute=FakeCompute(), identity=FakeIdentity(), images=FakeImages(),  # type: ignore[arg-type]
        networks=FakeNetworks(),  # type: ignore[arg-type]
    )
