"""Every action from every vm_state in which it may start, through the API, the conductor and the hosts: it ends as it should;
and a DELETE at any moment of it leaves nothing behind."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from novalike.db import audit
from novalike.objects.states import PowerState
from tests.laws.api_cloud import ApiCloud
from tests.laws.test_action_matrix import CASES, Case

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

#: How a server comes into a vm_state, from active.
WAYS: dict[str, tuple[tuple[str, object], ...]] = {
    "active": (),
    "paused": (("pause", None),),
    "suspended": (("suspend", None),),
    "stopped": (("os-stop", None),),
    "rescued": (("rescue", {}),),
    "resized": (("resize", {"flavorRef": "2"}),),
    "soft-delete": (("DELETE", None),),
    "error": (("os-resetState", {"state": "error"}),),
    "shelved": (("shelve", None),),
    "shelved_offloaded": (("shelve", None), ("shelveOffload", None)),
}
SAME = "as it was"
#: What each action ends in, where it is not the same for all states: by the state before.
ENDS: dict[str, dict[str, str]] = {
    "forceDelete": dict.fromkeys(WAYS, "deleted"), "DELETE": dict.fromkeys(WAYS, "soft-delete") | {"shelved_offloaded": "deleted"},
    "restore": {"soft-delete": "active"}, "os-start": {"stopped": "active"}, "os-stop": dict.fromkeys(WAYS, "stopped"),
    "reboot": dict.fromkeys(WAYS, "active"), "pause": {"active": "paused"}, "unpause": {"paused": "active"},
    "suspend": {"active": "suspended"}, "resume": {"suspended": "active"}, "rescue": dict.fromkeys(WAYS, "rescued"),
    "unrescue": {"rescued": "active"}, "rebuild": {"active": "active", "stopped": "stopped", "error": "active"},
    "resize": dict.fromkeys(WAYS, "resized"), "migrate": dict.fromkeys(WAYS, "resized"), "confirmResize": {"resized": "active"},
    "revertResize": {"resized": "active"}, "shelve": dict.fromkeys(WAYS, "shelved"), "shelveOffload": {"shelved": "shelved_offloaded"},
    "unshelve": dict.fromkeys(WAYS, "active"), "os-resetState": dict.fromkeys(WAYS, "error"),
}
POWER = {
    "active": PowerState.RUNNING, "paused": PowerState.PAUSED, "stopped": PowerState.SHUTDOWN, "rescued": PowerState.RUNNING,
    "soft-delete": PowerState.SHUTDOWN, "suspended": PowerState.SHUTDOWN, "shelved": PowerState.SHUTDOWN,
}
PAIRS = [
    pytest.param(case, state, id=f"{case.name}-{state}") for case in CASES if case.word not in ("lock", "unlock")
    for state in case.states.split() if state != "building"
]


@pytest.fixture
def make(tmp_path) -> Iterator[functools.partial[ApiCloud]]:
    made: list[ApiCloud] = []

    def build(number: int = 0) -> ApiCloud:
        home = tmp_path / str(number)
        home.mkdir()
        made.append(ApiCloud(home, reclaim_instance_interval=3600, shelved_offload_time=-1, allow_resize_to_same_host=True))
        return made[-1]
    yield build
    for cloud in made:
        cloud.close()


def bring(cloud: ApiCloud, state: str) -> str:
    """Answer a server in this vm_state."""
    uuid = cloud.boot()
    for word, body in WAYS[state]:
        cloud.do(uuid, word, body)
    server = cloud.server(uuid)
    assert (server.vm_state, server.task_state) == (state, None), f"{server.vm_state}, {server.task_state}: {server.fault}"
    return uuid


@pytest.mark.parametrize(("case", "state"), PAIRS)
def test_it_ends_as_it_should(make, case: Case, state: str):
    cloud = make()
    uuid = bring(cloud, state)
    answer = cloud.act(uuid, case.word, case.body, admin=case.admin)
    assert answer.status == (204 if case.word == "DELETE" else case.code), answer.json
    cloud.cloud.settle()
    assert not cloud.cloud.busy()
    server = cloud.server(uuid)
    end = ENDS.get(case.word, {}).get(state, state)
    assert (server.vm_state, server.task_state) == (end, None), server.fault
    assert server.fault is None or end == "error", server.fault
    guests = [host.hypervisor.find(uuid) for host in cloud.cloud.hosts.values() if host.hypervisor.find(uuid) and host.hypervisor.find(uuid).defined]
    if end in POWER and not (state == "error" and case.word != "os-stop"):
        assert [guest.power_state for guest in guests] == [POWER[end]]
        assert server.power_state == POWER[end]
    nothing_wrong(cloud)


@pytest.mark.parametrize("case", [case for case in CASES if case.word in (
    "rescue", "unrescue", "rebuild", "resize", "migrate", "confirmResize", "revertResize", "createImage", "createBackup", "shelve",
    "shelveOffload", "unshelve", "changePassword", "suspend", "restore",
)], ids=lambda case: case.name)
def test_a_delete_at_any_moment_leaves_nothing(make, case: Case):
    state = case.states.split()[-1] if case.word == "unshelve" else case.states.split()[0]
    for delivered in range(40):
        cloud = make(delivered)
        uuid = bring(cloud, state)
        cloud.act(uuid, case.word, case.body, admin=True)
        over = False
        for _ in range(delivered):
            message = cloud.cloud.next_message()
            if message is None:
                over = True
                break
            cloud.cloud._guarded(message.deliver)
        assert cloud.act(uuid, "forceDelete").status == 202
        cloud.cloud.settle()
        assert cloud.server(uuid).vm_state == "deleted", f"after {delivered} messages"
        assert not cloud.cloud.busy()
        left = {name: host.driver.leftovers(uuid) for name, host in cloud.cloud.hosts.items() if host.driver.leftovers(uuid)}
        assert not left, f"after {delivered} messages: {left}"
        assert not cloud.cloud.ports.of(uuid)
        unfinished = [image for image in cloud.cloud.images.images.values() if image.status != "active"]
        assert not unfinished, f"after {delivered} messages: {unfinished}"
        nothing_wrong(cloud)
        if over:
            return
    raise AssertionError("it never ended")


def nothing_wrong(cloud: ApiCloud) -> None:
    """The checker which the live tests use as well."""
    found = [str(one) for one in audit.leftovers(cloud.cloud.cells, idle=True)]
    assert not found, "\n".join(found)
