"""Ports which a real Neutron plugs: a server is ready when they are, whatever is lost or dies meanwhile; and they are where it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from novalike.db import tasks
from novalike.db.engine import Database
from novalike.objects.states import VmState
from tests.factories_instances import CALLER
from tests.laws import stories
from tests.laws.cloud import Message, SimulatedCloud
from tests.laws.stories import Story, check
from tests.laws.test_resize_laws import move, revert
from tests.laws.test_shelve_laws import ask, ask_back
from tests.laws.test_snapshot_laws import booted

pytestmark = stories.CRASHES


def with_agent(cloud: SimulatedCloud) -> SimulatedCloud:
    """From now on ports are plugged by an agent, of which Neutron tells our API; the API tells the waiting task."""
    def event(uuid: str) -> None:
        def tell() -> None:
            task_id = Database.write(cloud.database, tasks.hint, uuid, tasks.AWAIT_PORTS)
            if task_id is not None:
                cloud.ring(task_id)
        cloud.wire.post(Message("api", "network-vif-plugged", tell))
    cloud.ports.agent = event
    return cloud


def build(cloud: SimulatedCloud) -> str:
    uuid = with_agent(cloud).create(ports=2)
    cloud.settle()
    return uuid


def unshelve(cloud: SimulatedCloud) -> str:
    uuid = begin_unshelve(cloud)
    cloud.settle()
    return uuid


def begin_unshelve(cloud: SimulatedCloud) -> str:
    with stories.peace(cloud):
        uuid = booted(with_agent(cloud))
        ask(cloud, uuid)
        cloud.settle()
    ask_back(cloud, uuid)
    return uuid


def revert_a_resize(cloud: SimulatedCloud) -> str:
    uuid = begin_revert(cloud)
    cloud.settle()
    return uuid


def begin_revert(cloud: SimulatedCloud) -> str:
    with stories.peace(cloud):
        uuid = booted(with_agent(cloud))
        move(cloud, uuid)
        cloud.settle()
    revert(cloud, uuid)
    return uuid


def plugged(cloud: SimulatedCloud, uuid: str) -> None:
    states = {vif.status for vif in cloud.ports.info(CALLER, uuid)}
    assert states == {"ACTIVE"}, f"the server is {cloud.server(uuid).vm_state}, its ports are {states}"


BUILD = Story("build", build, {"active"}, more=plugged)
STORIES = [BUILD, Story("unshelve", unshelve, {"active"}, more=plugged), Story("revert", revert_a_resize, {"active"}, more=plugged)]
every = pytest.mark.parametrize("story", STORIES, ids=str)


@every
def test_the_conductor_may_die_at_any_point(tmp_path, story):
    stories.conductor_may_die(tmp_path, story, stride=2 if story is BUILD else 4)


@every
@pytest.mark.parametrize("fate", ["lose", "double", "late"])
def test_events_may_be_lost_doubled_or_late(tmp_path, story, fate):
    stories.messages_may_suffer(tmp_path, story, fate, stride=1 if story is BUILD else 3)


def test_a_host_may_die_at_any_point(tmp_path):
    stories.host_may_die(tmp_path, BUILD)


@pytest.mark.parametrize("begin", [lambda cloud: with_agent(cloud).create(ports=2), begin_unshelve], ids=["build", "unshelve"])
def test_a_delete_wins_while_ports_are_waited_for(tmp_path, begin):
    stories.deleted_at_any_time(tmp_path, begin)


def never(trouble: Callable[[SimulatedCloud], None]) -> Callable[[SimulatedCloud], str]:
    def play(cloud: SimulatedCloud) -> str:
        trouble(with_agent(cloud))
        return build(cloud)
    return play


def idle(cloud: SimulatedCloud) -> None:
    cloud.ports.idle = True


def broken(cloud: SimulatedCloud) -> None:
    cloud.ports.broken = True


@pytest.mark.parametrize("trouble", [idle, broken])
def test_a_server_whose_ports_are_never_plugged_fails_and_leaves_nothing(tmp_path, trouble):
    def refused(cloud: SimulatedCloud, uuid: str) -> None:
        assert cloud.server(uuid).fault.message == "Virtual Interface creation failed"
        assert cloud.server(uuid).fault.code == 500
    play = never(trouble)
    story = Story("never plugged", play, {"error"}, more=refused, options={"vif_plugging_timeout": 30})
    stories.conductor_may_die(tmp_path, story, stride=6)


@pytest.mark.parametrize(("begin", "end"), [(begin_unshelve, VmState.SHELVED_OFFLOADED), (begin_revert, VmState.ERROR)])
def test_what_becomes_of_a_server_which_was_there_before(tmp_path, begin, end):
    """It is complete in its image as before; or back where it came from, from where there is no other way."""
    def play(cloud: SimulatedCloud) -> str:
        uuid = begin(cloud)
        cloud.ports.idle = True
        cloud.settle()
        return uuid

    def refused(cloud: SimulatedCloud, uuid: str) -> None:
        assert cloud.server(uuid).fault.message == "Virtual Interface creation failed"
    story = Story("never plugged", play, {end}, more=refused, options={"vif_plugging_timeout": 30})
    stories.run(tmp_path / "one", story, stories.nothing)


def test_where_it_is_not_fatal_the_server_goes_on(tmp_path):
    play = never(idle)
    stories.run(tmp_path / "one", Story("never plugged", play, {"active"}, options={"vif_plugging_is_fatal": False}), stories.nothing)


def test_nothing_is_waited_for_without_a_timeout(tmp_path):
    play = never(idle)
    story = Story("never plugged", play, {"active"}, options={"vif_plugging_timeout": 0})
    cloud = stories.run(tmp_path / "one", story, stories.nothing)
    assert "before looking at ports" not in cloud.points.passed


def test_ports_which_are_active_at_once_cost_nothing(tmp_path):
    """Our own network service: neither a look at the ports nor a save more than the host's report needs."""
    def play(cloud: SimulatedCloud) -> str:
        uuid = cloud.create(ports=2)
        cloud.settle()
        return uuid
    cloud = stories.run(tmp_path / "one", Story("build", play, {"active"}), stories.nothing)
    assert not [name for name in cloud.points.passed if "looking at ports" in name]


# ---- where ports are bound


def begun(cloud: SimulatedCloud) -> str:
    with stories.peace(cloud):
        return booted(cloud)


def move_to_a_host_without_agent(cloud: SimulatedCloud) -> str:
    uuid = begun(cloud)
    cloud.ports.refusing = set(cloud.hosts) - {cloud.server(uuid).host}
    move(cloud, uuid)
    cloud.settle()
    return uuid


def move_past_a_host_without_agent(cloud: SimulatedCloud) -> str:
    uuid = begun(cloud)
    others = sorted(set(cloud.hosts) - {cloud.server(uuid).host})
    cloud.ports.refusing = set(others[:1])
    move(cloud, uuid)
    cloud.settle()
    return uuid


def test_a_server_which_cannot_be_bound_elsewhere_stays_bound_where_it_is(tmp_path):
    def explained(cloud: SimulatedCloud, uuid: str) -> None:
        assert "Binding failed for port" in cloud.server(uuid).fault.message
    stories.conductor_may_die(tmp_path, Story("move to nowhere", move_to_a_host_without_agent, {"active"}, more=explained), stride=4)


def test_a_server_is_moved_past_a_host_on_which_no_port_can_be_bound(tmp_path):
    stories.run(tmp_path / "one", Story("move past", move_past_a_host_without_agent, {"resized"}, hosts=3), stories.nothing)


def test_a_server_is_unshelved_past_a_host_on_which_no_port_can_be_bound(tmp_path):
    def play(cloud: SimulatedCloud) -> str:
        with stories.peace(cloud):
            uuid = booted(cloud)
            ask(cloud, uuid)
            cloud.settle()
        cloud.ports.refusing = {"host0"}
        ask_back(cloud, uuid)
        cloud.settle()
        return uuid
    cloud = stories.run(tmp_path / "one", Story("unshelve past", play, {"active"}), stories.nothing)
    check(cloud, next(iter(cloud.ports.ports))[0], "unshelved")
