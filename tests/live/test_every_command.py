"""Every compute command of the unmodified `openstack` client, against pretended hypervisors."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from importlib.metadata import distribution

import pytest

from tests.live.clouds import SDK_WARNS, Cloud
from tests.live.shell import Failed, Shell

pytestmark = [pytest.mark.timeout(240), SDK_WARNS]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGUtk0P4ihq9fTGJ2Ap8j2Rv5iT3f4nQpY1n0S6fWc0k somebody@example"


@dataclass(frozen=True)
class Do:
    """One command; `then` is what the server `web` becomes, `says` (a regular expression) what is printed, `refused` what
    it fails with."""

    command: str
    then: str = ""
    says: str = ""
    refused: str = ""
    version: str = "2.104"


#: What a cloud without volumes, shares and live migration says. A command which asks another service first fails at the client.
_AWAY = r"(?i)does not have this feature|endpoint for \S+ service|not found|No \w+ found|service .*catalog"
_GONE = "no longer available"

STORY = (
    Do("flavor create c.small --ram 64 --disk 1 --vcpus 1 --description small --property hw:boot_menu=true", says="hw:boot_menu='true'"),
    Do("flavor create c.large --ram 128 --disk 1 --vcpus 1"),
    Do("flavor create c.private --ram 64 --disk 1 --vcpus 1 --private --project demo"),
    Do("flavor set c.small --property quota:cpu_shares=10 --description tiny"),
    Do("flavor unset c.small --property quota:cpu_shares"),
    Do("flavor show c.small", says=r"description +\| tiny"),
    Do("flavor list --all --long --min-ram 64 --limit 1 --max-items 3", says="m1"),
    Do("keypair create c --public-key {key}", says="ssh"),
    Do("keypair show c", says=":"), Do("keypair list --limit 1", says=r"\| c "),
    Do("server group create --policy anti-affinity --rule max_server_per_host=2 c", says="max_server_per_host"),
    Do("server group list --long --all-projects", says="anti-affinity"), Do("server group show c", says="anti-affinity"),
    Do("aggregate create c --zone c-zone --property colour=blue", says="c-zone"),
    Do("aggregate set c --property size=large --name c --zone c-zone"), Do("aggregate unset c --property colour"),
    Do("aggregate add host c {empty}", says="{empty}"), Do("aggregate list --long", says="size='large'"),
    Do("aggregate show c", says="c-zone"), Do("aggregate cache image c c"), Do("aggregate remove host c {empty}"), Do("aggregate delete c"),

    Do("server create web --image c --flavor c.small --key-name c --network c --property colour=green --tag red --description first "
       "--hint group={group} --use-config-drive --user-data {key} --hostname web-1 --wait", "ACTIVE", r"colour='green'"),
    Do("server list --long --all-projects --name web --status ACTIVE --flavor c.small --image c --limit 1 --sort-column Name", says="web"),
    Do("server list --tags red --not-tags blue --unlocked --ip 10.7. --key-name c --power-state running", says="web"),
    Do("server list --changes-since 2026-01-01T00:00:00Z --changes-before 2056-01-01T00:00:00Z --no-name-lookup", says="web"),
    Do("server show web", says="first"), Do("server show --topology web"), Do("server show --diagnostics web", says="fake"),
    Do("server set web --name web --property size=large --description second --tag blue --hostname web-2"),
    Do("server set web --password secret"), Do("server unset web --property size --description --tag blue"),
    Do("server pause web", "PAUSED"), Do("server unpause web", "ACTIVE"), Do("server suspend web", "SUSPENDED"), Do("server resume web", "ACTIVE"),
    Do("server lock web --reason mine"), Do("server show web", says=r"locked_reason +\| mine"), Do("server unlock web"),
    Do("server stop web", "SHUTOFF"), Do("server start web", "ACTIVE"), Do("server reboot web", "ACTIVE"), Do("server reboot --hard web", "ACTIVE"),
    Do("server rescue web", "RESCUE"), Do("server unrescue web", "ACTIVE"), Do("server dump create web"),
    Do("server image create web --name c-image --property a=b", "ACTIVE", "c-image"),
    Do("server backup create web --name c-backup --type daily --rotate 1", "ACTIVE", "c-backup"),
    Do("server rebuild web --image c --name web --property colour=red --description third", "ACTIVE", "REBUILD|colour='red'"),
    Do("server shelve web", "SHELVED_OFFLOADED"), Do("server unshelve web", "ACTIVE"),
    Do("server resize web --flavor c.large --wait", "VERIFY_RESIZE"), Do("server resize confirm web", "ACTIVE"),
    Do("server resize web --flavor c.small", "VERIFY_RESIZE"), Do("server resize revert web", "ACTIVE"),
    Do("server migrate web", "VERIFY_RESIZE"), Do("server migration confirm web", "ACTIVE"),
    Do("server migrate web", "VERIFY_RESIZE"), Do("server migration revert web", "ACTIVE"),
    Do("server migrate web", "VERIFY_RESIZE"), Do("server migrate confirm web", "ACTIVE"),
    Do("server migrate web", "VERIFY_RESIZE"), Do("server migrate revert web", "ACTIVE"),
    Do("server migration list --server web --type cold-migration --limit 2 --max-items 3", says="reverted|confirmed"),
    Do("server migration show web 1", refused="(?i)not|no migration"),
    Do("server migration abort web 1", refused="(?i)not (be )?found|does not have this feature|No .*found"), Do("server migration force complete web 1", refused="(?i)not (be )?found|does not have this feature|No .*found"),
    Do("server evacuate web", refused="(?i)does not have this feature|is still in use|in use"),
    Do("server event list web --long --limit 2", says="migrate"), Do("server event show web {event}", says="{event}"),
    Do("console log show web --lines 3", says="."), Do("console url show web --novnc", says="token"),
    Do("console connection show {token}", says="instance_uuid"),
    Do("server add network web c --tag nic2"), Do("server remove network web c"),
    Do("server add port web c-port"), Do("server remove port web c-port"),
    Do("server add fixed ip web c --fixed-ip-address 10.7.0.77 --tag nic3", says="10.7.0.77"),
    Do("server remove fixed ip web 10.7.0.77", version="2.43", refused="404"),      # the SDK asks at a version which has it no more
    Do("server add security group web c-group"), Do("server remove security group web c-group"),
    Do("server volume list web"), Do("server add volume web 1", refused=_AWAY), Do("server remove volume web 1", refused=_AWAY),
    Do("server volume set web 1 --delete-on-termination", refused=_AWAY), Do("server volume update web 1 --delete-on-termination", refused=_AWAY),
    Do("server share list web", refused=_AWAY), Do("server share show web 1", refused=_AWAY),
    Do("server add share web 1", refused=_AWAY), Do("server remove share web 1", refused=_AWAY),
    Do("server restore web", refused="(?i)cannot 'restore'"),
    Do("usage list --start 2026-01-01 --end 2056-01-01", says="Servers"), Do("usage show --project admin", says="Servers"),
    Do("compute service list --long --service nova-compute", says="enabled"),
    Do("compute service set --disable --disable-reason broken {empty} nova-compute"), Do("compute service set --enable --up {empty} nova-compute"),
    Do("compute service delete {scheduler}"),
    Do("hypervisor list --long --limit 1", says="up"), Do("hypervisor show {hypervisor}", says="hypervisor_hostname"),
    Do("hypervisor stats show", says="vcpus", version="2.87"),
    Do("host list", says="compute", version="2.42"), Do("host show {empty}", says="total", version="2.42"),
    Do("host set --enable {empty}", version="2.42"),
    Do("compute agent list", refused=_GONE), Do("compute agent create a b c d e f", refused=_GONE),
    Do("compute agent set 1 --agent-version 2", refused=_GONE), Do("compute agent delete 1", refused=_GONE),
    Do("server delete --wait web"), Do("server group delete c"), Do("keypair delete c"), Do("flavor delete c.small c.large c.private"),
)
#: Commands which are not driven: what they need is not compute's.
LEFT_OUT = {
    "server ssh": "runs ssh into a guest",
    "server add floating ip": "asks the network service alone", "server remove floating ip": "asks the network service alone",
}


def commands() -> list[str]:
    """The client's own list of its compute commands, the longest first."""
    found = {point.name.replace("_", " ") for point in distribution("python-openstackclient").entry_points if point.group == "openstack.compute.v2"}
    return sorted(found, key=len, reverse=True)


def test_no_command_is_forgotten():
    known = commands()
    used = {next(name for name in known if step.command.startswith(name)) for step in STORY}
    assert sorted(set(known) - used) == sorted(LEFT_OUT)


@pytest.fixture
def story(embedded: Cloud, tmp_path):
    """What the commands need: answers the words to put into them."""
    sdk = embedded.admin
    key = tmp_path / "key.pub"
    key.write_text(KEY + "\n")
    image = sdk.image.create_image("c", disk_format="raw", container_format="bare", visibility="public", data=b"\0" * 4096, hw_qemu_guest_agent="yes")
    network = sdk.network.create_network(name="c")
    subnet = sdk.network.create_subnet(network_id=network.id, name="c", ip_version=4, cidr="10.7.0.0/24")
    port = sdk.network.create_port(network_id=network.id, name="c-port")
    group = sdk.network.create_security_group(name="c-group")
    services = list(sdk.compute.services())
    hypervisor = next(iter(sdk.compute.hypervisors(details=True)))
    yield {
        "key": str(key), "empty": hypervisor.service_details["host"], "hypervisor": hypervisor.name,
        "scheduler": next(one.id for one in services if one.binary == "nova-scheduler"),
    }
    sdk.network.delete_port(port)
    sdk.network.delete_security_group(group)
    sdk.network.delete_subnet(subnet)
    sdk.network.delete_network(network)
    for one in sdk.image.images():
        if one.name.startswith("c-"):
            sdk.image.delete_image(one)
    sdk.image.delete_image(image)
    embedded.nothing_left()


@pytest.fixture
def shell(embedded: Cloud):
    """The client, as the administrator of the embedded cloud."""
    opened = Shell({"OS_CLIENT_CONFIG_FILE": str(embedded.state / "clouds.yaml"), "OS_CLOUD": "novalike-admin"})
    yield opened
    opened.close()


class Teller:
    """Runs the story; words in braces are looked up when a command first needs them."""

    def __init__(self, cloud: Cloud, shell: Shell, words: dict[str, str]) -> None:
        self._cloud, self._shell, self._words = cloud, shell, words
        self.wrong: list[str] = []

    def tell(self, step: Do) -> None:
        """Do one step, and note what is wrong with it."""
        output = self._run(step)
        says = re.sub(r"\{(\w+)\}", lambda found: self._words.get(found[1], "?"), step.says)
        if output is not None and not re.search(says, output):
            self.wrong.append(f"openstack {step.command}: {says!r} is not in {output}")
        if step.then and output is not None:
            server = self._cloud.admin.compute.find_server("web")
            try:
                self._cloud.wait(server.id, step.then, seconds=15)
            except AssertionError as error:
                self.wrong.append(f"openstack {step.command}: {error}")

    def _run(self, step: Do) -> str | None:
        command = step.command
        try:
            command = re.sub(r"\{(\w+)\}", lambda found: self._word(found[1]), command)
            output = self._shell("--os-compute-api-version", step.version, *shlex.split(command))
        except Failed as failed:
            if not step.refused or not re.search(step.refused, str(failed)):
                self.wrong.append(str(failed))
            return None
        if step.refused:
            self.wrong.append(f"openstack {command}: not refused, but {output}")
        return output

    def _word(self, name: str) -> str:
        if name not in self._words:
            self._words[name] = getattr(self, f"_find_{name}")()
        return self._words[name]

    def _find_group(self) -> str:
        return str(next(iter(self._cloud.admin.compute.server_groups(name="c"))).id)

    def _find_event(self) -> str:
        return str(json.loads(self._shell("server", "event", "list", "web", "-f", "json"))[0]["Request ID"])

    def _find_token(self) -> str:
        shown = json.loads(self._shell("console", "url", "show", "web", "--novnc", "-f", "json"))
        return str(re.findall(r"token(?:=|%3D)([\w-]+)", shown["url"])[0])


def test_every_command(embedded: Cloud, shell: Shell, story: dict[str, str]):
    teller = Teller(embedded, shell, story)
    for step in STORY:
        teller.tell(step)
    assert not teller.wrong, "\n\n".join(teller.wrong)
