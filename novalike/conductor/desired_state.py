"""What agents on hosts ask for: the state they make true there."""

from __future__ import annotations

from dataclasses import replace

from novalike.clock import Clock
from novalike.context import RequestContext
from novalike.db import hosts, network_hosts
from novalike.db.cells import Cells
from novalike.network.local import desired
from novalike.network.local.store import AGENT
from novalike.objects.network_state import Asker, DesiredNetworks, KnownGroups
from novalike.rpc import serializer
from novalike.rpc.conductor import DesiredState

#: Topics under which services show, by their binary.
_TOPICS = {"novalike-network": "network", "novalike-volume": "volume"}


class DesiredStateEndpoint(DesiredState):
    """Serves DesiredState from the GLOBAL database; heartbeats go to the cell which this conductor serves."""

    def __init__(self, cells: Cells, clock: Clock) -> None:
        self._cells = cells
        self._clock = clock

    def network(
        self, ctxt: RequestContext, *, host: str, since: int, known: KnownGroups | None = None,
    ) -> dict[str, object]:
        answer = desired.fetch(self._cells.shared, host, since, known, self._clock)
        if answer.full:
            answer = replace(answer, others=self._others(host))
        document: dict[str, object] = serializer.dump(DesiredNetworks, answer)
        return document

    def _others(self, host: str) -> bool:
        return any(cell.fetch(hosts.any_other, host, AGENT) for cell in self._cells)

    def asker(self, ctxt: RequestContext, *, network_id: str, address: str) -> Asker | None:
        return self._cells.shared.fetch(desired.asker, network_id, address)

    def alive(self, ctxt: RequestContext, *, host: str, binary: str, address: str = "") -> None:
        cell = next(iter(self._cells))
        cell.write(hosts.report_service, host=host, binary=binary, topic=_TOPICS.get(binary, binary.removeprefix("novalike-")))
        if address:
            self._cells.shared.write(network_hosts.set_address, host, address)
