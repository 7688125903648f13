"""All that a host, the API or an agent can ask of the conductor."""

from __future__ import annotations

from novalike.context import RequestContext
from novalike.objects.block_device import BlockDevice
from novalike.objects.host import HostUsage, Inventory
from novalike.objects.instance import Instance
from novalike.objects.network_state import Asker, KnownGroups
from novalike.objects.tasks import Heartbeat, Outcome, PowerChange
from novalike.rpc.engine import Interface, call, cast

TOPIC = "conductor"


class Tasks(Interface):
    """The doorbell of durable tasks, and what hosts report of the steps they were ordered to do."""

    topic, version = TOPIC, "1.0"

    @cast()
    def wake(self, ctxt: RequestContext, *, task_ids: list[str]) -> None:
        """Look at these tasks now. The rows are the truth: losing this costs seconds, not work."""

    @cast()
    def report(self, ctxt: RequestContext, *, outcome: Outcome) -> None:
        """A host ended the step of a durable task (build, destroy)."""


class HostReports(Interface):
    """What compute hosts tell of themselves."""

    topic, version = TOPIC, "1.1"

    @call(timeout=30)
    def register(self, ctxt: RequestContext, *, inventory: Inventory, binary: str) -> str:
        """A host starts: store its inventory and service row; answer the service's uuid."""

    @cast()
    def inventory(self, ctxt: RequestContext, *, inventory: Inventory) -> None:
        """The inventory changed."""

    @cast()
    def heartbeat(self, ctxt: RequestContext, *, heartbeat: Heartbeat) -> None:
        """The host lives, and works on these orders."""

    @cast()
    def usage(self, ctxt: RequestContext, *, host: str, node: str, usage: HostUsage) -> None:
        """What the host sees in use; sent when changed."""

    @cast()
    def action_done(self, ctxt: RequestContext, *, outcome: Outcome) -> None:
        """A single-host action ended."""

    @cast()
    def power_changed(self, ctxt: RequestContext, *, changes: list[PowerChange]) -> None:
        """Guests changed power state by themselves."""

    @call(timeout=60)
    def instances_on(self, ctxt: RequestContext, *, host: str) -> list[Instance]:
        """Answer the host's instances, for recovery at start, power sync and the search for orphans."""

    @call(since="1.1", timeout=60)
    def block_devices(self, ctxt: RequestContext, *, host: str, instance_uuid: str) -> list[BlockDevice]:
        """Answer the block devices of a server on this host, volumes with their connections, so that it can be made again.

        Nothing for a server which is not (or no more) there. Raises Unavailable when the volume service is away.
        """

    @call(timeout=30)
    def known(self, ctxt: RequestContext, *, instance_uuids: list[str]) -> list[str]:
        """Answer those of the uuids which are instances that are not deleted."""


class DesiredState(Interface):
    """What network agents make true on their host. Documents are made and read by network/local and agents/network."""

    topic, version = TOPIC, "1.2"

    @call(since="1.1", timeout=30)
    def network(
        self, ctxt: RequestContext, *, host: str, since: int, known: KnownGroups | None = None,
    ) -> dict[str, object]:
        """Answer the host's desired network state.

        `since` 0 asks for all of it; else only what changed after that revision. The answer's keys: `revision` (int, to
        ask from next time), `full` (bool: forget everything not in here), `networks` (list of documents), `gone` (list
        of network ids which this host no longer needs), `groups` and `members`: objects.network_state.DesiredNetworks.
        Of security groups only those are answered which the asker does not know, or knows of another revision.
        """

    @call(since="1.2", timeout=10)
    def asker(self, ctxt: RequestContext, *, network_id: str, address: str) -> Asker | None:
        """Answer whose server has an address of a network, wherever it runs; None when nobody's has."""

    @cast()
    def alive(self, ctxt: RequestContext, *, host: str, binary: str, address: str = "") -> None:
        """An agent's heartbeat. `address` is where other hosts reach this one's tunnels; empty when they cannot."""
