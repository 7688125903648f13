"""Services and hypervisors over all cells, in no dialect."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from sqlalchemy.orm import Session

from novalike.api.services import ApiServices
from novalike.db import aggregates, host_servers, hosts
from novalike.db.engine import Database
from novalike.exception import Invalid, NotFound
from novalike.hardware.capacity import Amounts
from novalike.objects.host import ComputeNode, HostedServer, Service

T = TypeVar("T")


class Hosts:
    """What the API asks about hosts; changes go to the cell which has them."""

    def __init__(self, services: ApiServices) -> None:
        self._cells = services.cells
        self._conf = services.conf

    @property
    def _down_after(self) -> float:
        return float(self._conf.service_down_time)

    # --- services

    def list_services(self, *, host: str | None = None, binary: str | None = None) -> list[Service]:
        """Answer the services of all cells, each with its availability zone; two or three queries per cell."""
        found: list[Service] = []
        for cell in self._cells:
            with cell.read() as session:
                found += hosts.list_services(session, down_after=self._down_after, host=host, binary=binary)
        zones = self.zones()
        return [self._placed(service, zones) for service in found]

    def get_service(self, identifier: str | int) -> Service:
        """Answer a service by uuid, or by number. Raises NotFound."""
        service, _ = self._find(lambda session: self._service(session, identifier))
        return self._placed(service, self.zones())

    def compute_service(self, host: str) -> Service:
        """Answer the compute service of a host. Raises NotFound."""
        try:
            service, _ = self._find(
                lambda session: hosts.find_service(session, host, hosts.COMPUTE_BINARY, down_after=self._down_after),
            )
        except NotFound:
            raise NotFound(f"Compute host {host} could not be found.") from None
        return self._placed(service, self.zones())

    def update_service(
        self, uuid: str, *, disabled: bool | None = None, disabled_reason: str | None = None, forced_down: bool | None = None,
    ) -> Service:
        """Enable, disable or force down a service; what is None stays. Raises NotFound."""
        _, cell = self._find(lambda session: self._service(session, uuid))
        changed = cell.write(
            hosts.update_service, uuid, down_after=self._down_after, disabled=disabled, disabled_reason=disabled_reason,
            forced_down=forced_down,
        )
        return self._placed(changed, self.zones())

    def delete_service(self, identifier: str | int) -> Service:
        """Forget a service, its hypervisors and their place in aggregates; answer what it was.

        Raises NotFound, and Conflict while it has servers.
        """
        service, cell = self._find(lambda session: self._service(session, identifier))
        cell.write(hosts.delete_service, service.uuid)
        if service.binary == hosts.COMPUTE_BINARY:
            self._cells.shared.write(aggregates.forget_host, service.host)
        return service

    def zones(self) -> dict[str, str]:
        """Answer the zone of each host which an aggregate puts into one."""
        with self._cells.shared.read() as session:
            return aggregates.zones_of_hosts(aggregates.list_aggregates(session))

    def _placed(self, service: Service, zones: dict[str, str]) -> Service:
        if service.binary == hosts.COMPUTE_BINARY:
            zone = zones.get(service.host, self._conf.default_availability_zone)
        else:
            zone = self._conf.internal_service_availability_zone
        return replace(service, availability_zone=zone)

    def _service(self, session: Session, identifier: str | int) -> Service:
        if isinstance(identifier, int):
            return hosts.get_service_by_id(session, identifier, down_after=self._down_after)
        return hosts.get_service(session, identifier, down_after=self._down_after)

    # --- hypervisors

    def list_compute_nodes(
        self, *, limit: int | None = None, marker: str | int | None = None, pattern: str | None = None,
    ) -> list[ComputeNode]:
        """Answer hypervisors, cell by cell, after the one with uuid or number `marker`. Raises Invalid for an unknown marker."""
        found: list[ComputeNode] = []
        awaited = marker
        for cell in self._cells:
            with cell.read() as session:
                after_id = None
                if awaited is not None:
                    try:
                        after_id = self._node(session, awaited).id
                    except NotFound:
                        continue
                    awaited = None
                room = None if limit is None else limit - len(found)
                if room is None or room > 0:
                    found += hosts.list_compute_nodes(
                        session, down_after=self._down_after, limit=room, after_id=after_id, hostname_pattern=pattern,
                    )
        if awaited is not None:
            raise Invalid(f"marker [{marker}] not found")
        return found

    def get_compute_node(self, identifier: str | int) -> ComputeNode:
        """Answer a hypervisor by uuid, or by number. Raises NotFound."""
        return self._find(lambda session: self._node(session, identifier))[0]

    def of_host(self, host: str) -> tuple[ComputeNode, dict[str, Amounts]]:
        """Answer a host's hypervisor, and what each project holds of it. Raises NotFound."""
        for cell in self._cells:
            with cell.read() as session:
                nodes = hosts.list_compute_nodes(session, down_after=self._down_after, host=host)
                if nodes:
                    return nodes[0], host_servers.by_project(session, host)
        raise NotFound(f"Compute host {host[:255]} could not be found.")

    def servers(self, nodes: Collection[ComputeNode]) -> dict[str, list[HostedServer]]:
        """Answer the servers on each of these hypervisors, by its uuid; one query per cell."""
        by_place: dict[tuple[str, str], list[HostedServer]] = {}
        for cell in self._cells:
            with cell.read() as session:
                by_place.update(host_servers.of_hosts(session, {node.host for node in nodes}))
        return {node.uuid: by_place.get((node.host, node.node), []) for node in nodes}

    def occupied(self, names: Collection[str]) -> set[str]:
        """Answer those of these hosts which have servers."""
        found: set[str] = set()
        for cell in self._cells:
            with cell.read() as session:
                found |= host_servers.occupied(session, names)
        return found

    def _node(self, session: Session, identifier: str | int) -> ComputeNode:
        if isinstance(identifier, int):
            return hosts.get_compute_node_by_id(session, identifier, down_after=self._down_after)
        return hosts.get_compute_node(session, identifier, down_after=self._down_after)

    def _find(self, look: Callable[[Session], T]) -> tuple[T, Database]:
        """Answer what the first cell which has it answers, and that cell."""
        missing: NotFound | None = None
        for cell in self._cells:
            with cell.read() as session:
                try:
                    return look(session), cell
                except NotFound as error:
                    missing = error
        raise missing or NotFound
