"""kill -9 of compute in the middle of every action on a real guest: it ends as if nothing had been, and leaves nothing behind.

Each row is a chain of actions which brings the server back to ACTIVE. In each of them its host's daemon is killed after a
moment which the action's name decides, and started again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devstack.settings import Settings
from tests.fakes.volumes import Volumes
from tests.live.clouds import SDK_WARNS, Cloud, measured, until
from tests.live.conftest import SOON, _need_libvirt, _running, free_ports
from tests.live.guests import Guest, World, worlds

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq, pytest.mark.timeout(300), SDK_WARNS]
#: Deletes are soft until they are forced; a guest has a few seconds to shut itself down or let go of a device.
OPTIONS = SOON | {
    "volume.client": "tests.fakes.volumes:of_cloud", "DEFAULT.reclaim_instance_interval": "86400", "DEFAULT.shutdown_timeout": "4",
    "libvirt.device_detach_timeout": "5", "conductor.device_timeout": "60",
}
#: What libvirt must say of a server's guest.
DOMAIN = {
    "ACTIVE": "running", "RESCUE": "running", "VERIFY_RESIZE": "running", "PAUSED": "paused", "SHUTOFF": "shut off",
    "SUSPENDED": "shut off", "SOFT_DELETED": "shut off", "SHELVED_OFFLOADED": "",
}


@dataclass
class Scene:
    """A server, and what may be done to it."""

    world: World
    volumes: Volumes
    guest: Guest
    home: int = 1                                # the compute host where it is when a row begins
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def cloud(self) -> Cloud:
        return self.world.cloud

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Ask for something; answer what the API says."""
        compute = self.cloud.admin.compute
        answer = compute.post(f"/servers/{self.guest.id}{path}", json=body, microversion="2.93")
        assert answer.status_code in (200, 202, 204), answer.text
        return answer.json() if answer.content else {}

    def remove(self, path: str) -> None:
        answer = self.cloud.admin.compute.delete(f"/servers/{self.guest.id}{path}")
        assert answer.status_code in (202, 204), answer.text

    def disks(self) -> str:
        """What libvirt says of the guest's disks and ports."""
        node = self.guest.node
        return self.cloud.virsh("domblklist", self.guest.id, node=node) + self.cloud.virsh("domiflist", self.guest.id, node=node)


Act = Callable[[Scene], object]


@dataclass(frozen=True)
class Kill:
    """An action in whose midst compute dies, within so many seconds of its order; then the server is to be `ends`."""

    name: str
    order: Act
    within: float
    ends: str = "ACTIVE"
    then: Act = lambda scene: None
    there: bool = False                          # the daemon of the other host dies
    waits: bool = False                          # its request is answered at its end


def action(word: str, value: object = None) -> Act:
    return lambda scene: scene.post("/action", {word: value})


def larger(scene: Scene) -> None:
    compute = scene.cloud.admin.compute
    flavor = compute.find_flavor("larger") or compute.create_flavor(name="larger", ram=160, vcpus=1, disk=1)
    scene.post("/action", {"resize": {"flavorRef": flavor.id}})


def attach_volume(scene: Scene) -> None:
    scene.notes["volume"] = volume = scene.volumes.make(project_id="")
    scene.post("/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})


def has_volume(scene: Scene) -> None:
    assert scene.volumes.shown()[scene.notes["volume"]].status == "in-use"
    assert "vdb" in scene.disks()
    until("the guest sees it", lambda: scene.guest.run("cat /sys/block/vdb/serial") == scene.notes["volume"][:20], 20)


def lost_volume(scene: Scene) -> None:
    assert scene.volumes.shown()[scene.notes["volume"]].status == "available"
    assert "vdb" not in scene.disks()


def attach_port(scene: Scene) -> None:
    scene.notes["port"] = scene.post("/os-interface", {"interfaceAttachment": {"net_id": scene.world.network}})["interfaceAttachment"]["port_id"]


def mac(scene: Scene) -> str:
    return str(scene.cloud.admin.network.get_port(scene.notes["port"]).mac_address)


def has_port(scene: Scene) -> None:
    scene.notes["mac"] = mac(scene)
    assert scene.notes["mac"] in scene.disks()


def lost_port(scene: Scene) -> None:
    assert scene.notes["mac"] not in scene.disks()
    assert scene.cloud.admin.network.find_port(scene.notes["port"]) is None


def shadow(scene: Scene) -> str:
    return scene.guest.run("grep ^root: /etc/shadow")


def change_password(scene: Scene) -> None:
    scene.notes["shadow"] = shadow(scene)
    scene.post("/action", {"changePassword": {"adminPass": "Xq7-new-password"}})


def has_password(scene: Scene) -> None:
    assert shadow(scene) != scene.notes["shadow"]


def has_image(name: str) -> Act:
    def look(scene: Scene) -> None:
        [image] = images(scene)
        assert (image.name, image.status) == (name, "active")
        scene.cloud.admin.image.delete_image(image.id)
    return look


def images(scene: Scene) -> list[Any]:
    return [image for image in scene.cloud.admin.image.images() if image.properties.get("image_type") or image.instance_uuid]


def rescued(scene: Scene) -> None:
    assert "disk.rescue" in scene.disks()


def keeps_its_disk(scene: Scene) -> None:
    assert scene.guest.run("cat /root/marker") == "mine"
    assert "rescue" not in scene.disks()


def is_new(scene: Scene) -> None:
    assert scene.guest.run("ls /root/marker 2>/dev/null; echo mine > /root/marker; sync") == ""


def offloaded(scene: Scene) -> None:
    assert [image.status for image in images(scene)] == ["active"]


def is_back(scene: Scene) -> None:
    keeps_its_disk(scene)
    assert images(scene) == []


def moved(scene: Scene) -> None:
    assert scene.guest.node != scene.home


def moved_back(scene: Scene) -> None:
    assert scene.guest.node == scene.home
    keeps_its_disk(scene)


ROWS = {
    "power": [
        Kill("stop", action("os-stop"), 1.5, "SHUTOFF"), Kill("start", action("os-start"), 0.6),
        Kill("hard reboot", action("reboot", {"type": "HARD"}), 0.6),
    ],
    "clock": [
        Kill("pause", action("pause"), 0.02, "PAUSED"), Kill("unpause", action("unpause"), 0.02),
        Kill("suspend", action("suspend"), 0.6, "SUSPENDED"), Kill("resume", action("resume"), 0.2),
    ],
    "devices": [
        Kill("attach volume", attach_volume, 0.1, then=has_volume),
        Kill("detach volume", lambda scene: scene.remove(f"/os-volume_attachments/{scene.notes['volume']}"), 0.5, then=lost_volume),
        Kill("attach port", attach_port, 0.06, then=has_port, waits=True),
        Kill("detach port", lambda scene: scene.remove(f"/os-interface/{scene.notes['port']}"), 0.5, then=lost_port),
    ],
    "password": [Kill("password", change_password, 0.06, then=has_password)],
    "images": [
        Kill("snapshot", action("createImage", {"name": "snap"}), 1.5, then=has_image("snap")),
        Kill("backup", action("createBackup", {"name": "daily", "backup_type": "daily", "rotation": 1}), 0.4, then=has_image("daily")),
    ],
    "rescue": [
        Kill("rescue", action("rescue", {}), 1.0, "RESCUE", rescued), Kill("unrescue", action("unrescue"), 0.6, then=keeps_its_disk),
    ],
    "rebuild": [Kill("rebuild", lambda scene: scene.post("/action", {"rebuild": {"imageRef": scene.world.root}}), 2.5, then=is_new)],
    "resize": [
        Kill("resize", larger, 2.5, "VERIFY_RESIZE", moved, there=True),
        Kill("confirm", action("confirmResize"), 0.1, then=moved, there=True),
    ],
    "migrate": [
        Kill("migrate", action("migrate"), 2.5, "VERIFY_RESIZE", moved),
        Kill("revert", action("revertResize"), 0.8, then=moved_back),
    ],
    "shelve": [
        Kill("shelve", action("shelve"), 3.0, "SHELVED_OFFLOADED", offloaded),
        Kill("unshelve", action("unshelve"), 0.5, then=is_back),
    ],
    "soft delete": [
        Kill("soft delete", lambda scene: scene.remove(""), 1.5, "SOFT_DELETED"), Kill("restore", action("restore"), 0.25),
    ],
}


@pytest.fixture(scope="module")
def cloud(guest):
    _need_libvirt()
    yield from _running(Settings(shape="single", driver="libvirt", computes=2, ports=free_ports(), options=OPTIONS))


@pytest.fixture(scope="module")
def world(cloud, guest, tmp_path_factory):
    for made in worlds(cloud, guest, tmp_path_factory.mktemp("key")):
        made.cloud.admin.image.update_image(made.root, hw_qemu_guest_agent="yes")
        yield made


@pytest.fixture(scope="module")
def volumes(cloud):
    made = Volumes(folder=Path(next(cloud.state.rglob("volumes"))))
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared() -> list[Scene]:
    """The one server of all rows; another one only after a row which failed."""
    return []


@pytest.fixture
def scene(world, volumes, shared):
    for number in (1, 2):
        world.cloud.start(f"compute{number}")            # a row which failed may have left it dead
    if not shared:
        guest, _begun = world.boot("target", world.root, availability_zone="nova:node1")
        guest.run("echo mine > /root/marker; sync")
        shared.append(Scene(world, volumes, guest))
    used, compute = shared.pop(), world.cloud.admin.compute
    used.home = used.guest.node
    yield used
    left = compute.find_server(used.guest.id, all_projects=True)
    if left is not None and compute.get_server(left.id).status == "ACTIVE":
        shared.append(used)
    elif left is not None:
        compute.delete_server(left.id, force=True)
        world.cloud.wait_gone(left.id)


def killed(scene: Scene, kill: Kill) -> None:
    """Order it, kill compute in the midst of it, start it again, and look at what became of it."""
    cloud, compute = scene.cloud, scene.cloud.admin.compute
    after = random.Random(kill.name).uniform(0, kill.within)     # the same moments in every run
    host = compute.get_server(scene.guest.id).compute_host
    with ThreadPoolExecutor(1) as pool:                  # some requests are answered only when all is done
        ordered = pool.submit(kill.order, scene)
        if not kill.waits:
            ordered.result()
        time.sleep(after)
        host = host or compute.get_server(scene.guest.id).compute_host
        here = int((host or "node1").removeprefix("node"))       # none: it is not placed yet
        node = 3 - here if kill.there else here
        cloud.kill(f"compute{node}")
        at = compute.get_server(scene.guest.id).task_state or ", ".join(task.kind for task in cloud.busy()) or "over"
        cloud.start(f"compute{node}")
        begun = time.monotonic()
        ordered.result()
    until(f"{kill.name} has ended", lambda: not cloud.busy(), 60)
    server = cloud.wait(scene.guest.id, kill.ends)
    measured(f"{kill.name}: compute{node} killed after {after:.2f} s ({at}), {kill.ends} {time.monotonic() - begun:.1f} s later")
    found = {number: scene.guest.id in cloud.virsh("list", "--all", "--uuid", node=number).split() for number in (1, 2)}
    if kill.ends != "VERIFY_RESIZE":
        assert found == {number: server.compute_host == f"node{number}" for number in (1, 2)}
    if DOMAIN[kill.ends]:
        assert cloud.virsh("domstate", scene.guest.id, node=scene.guest.node).strip() == DOMAIN[kill.ends]
    kill.then(scene)
    cloud.nothing_left()


@pytest.mark.parametrize("row", ROWS)
def test_an_action_survives_the_death_of_compute(scene: Scene, row: str):
    for kill in ROWS[row]:
        killed(scene, kill)


def test_a_build_and_a_delete_survive_it(world: World, scene: Scene):
    cloud, compute = world.cloud, world.cloud.admin.compute
    made = compute.create_server(name="late", image_id=world.root, flavor_id=world.flavor, networks=[{"uuid": world.network}], availability_zone="nova:node1")
    until("it is being spawned", lambda: compute.get_server(made.id).task_state in ("spawning", None), 20, pause=0.02)
    cloud.kill("compute1")
    cloud.start("compute1")
    cloud.wait(made.id, "ACTIVE")
    deleted = (made.id, scene.guest.id)
    for one in deleted:
        compute.delete_server(one, force=True)
    time.sleep(random.Random("delete").uniform(0, 0.3))
    for number in (1, 2):
        cloud.kill(f"compute{number}")
        cloud.start(f"compute{number}")
    for one in deleted:
        cloud.wait_gone(one)
    for number in (1, 2):
        assert cloud.virsh("list", "--all", "--uuid", node=number).split() == []
    cloud.nothing_left()
