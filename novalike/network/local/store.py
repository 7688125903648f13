"""What all parts of the network service share: the database, changes that ring hosts, limits, who may see what."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from oslo_config import cfg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.clock import Clock
from novalike.context import RequestContext
from novalike.db import (
    floating_ips,
    hosts,
    network_hosts,
    network_listing,
    network_quotas,
    networks,
    port_cache,
    ports,
    quotas,
    routers,
    security_groups,
    subnet_pools,
)
from novalike.db.cells import Cells
from novalike.exception import Conflict, NotFound, NovalikeError
from novalike.network import errors
from novalike.network.local import vifs
from novalike.objects.host import Service
from novalike.objects.network import Network, NetworkSubnet, Port, SecurityGroup
from novalike.objects.router import FloatingIp, Router

LOG = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


class _Owned(Protocol):
    """What belongs to a project."""

    @property
    def project_id(self) -> str: ...


K = TypeVar("K", bound=_Owned)

RESOURCES = ("network", "subnet", "subnetpool", "port", "router", "floatingip", "security_group", "security_group_rule")
#: What routers run on: the agent which makes networks makes them too.
AGENT = "novalike-network"
_NONE: frozenset[object] = frozenset()
#: Called with a host and its new revision (0 when only security groups changed, which have revisions of their own) after a change which concerns it.
Ring = Callable[[str, int], None]


@dataclass(slots=True)
class Change:
    """One transaction on its way. `touched` collects (host, network or router) whose agents are to hear of it, `servers` those
    of whose addresses compute keeps a copy that is old now."""

    session: Session
    now: datetime
    touched: set[tuple[str, str]] = field(default_factory=set)
    servers: set[str] = field(default_factory=set)
    #: Security groups whose rules changed.
    groups: set[str] = field(default_factory=set)
    _members: dict[str, list[dict[str, frozenset[object]]]] = field(default_factory=dict)

    def touch_network(self, network_id: str) -> None:
        """Note that a network changed wherever it has ports."""
        self.touched |= {(host, network_id) for host in network_hosts.hosts_of(self.session, network_id)}

    def touch_port(self, port: Port) -> None:
        """Note that a port changed on its host. A port which goes on to be is told of twice: as it was, and as it is."""
        if port.host:
            self.touched.add((port.host, port.network_id))
        addresses = frozenset((*(address for _, address in port.fixed_ips), *port.address_pairs)) if port.port_security else _NONE
        self._members.setdefault(port.id, []).append(dict.fromkeys(port.security_groups, addresses))

    def touch_router(self, router: Router) -> None:
        """Note that a router changed."""
        if router.host:
            self.touched.add((router.host, router.id))

    def touch_server(self, port: Port) -> None:
        """Note that the addresses of a port's server changed."""
        if port.device_owner.startswith("compute:"):
            self.servers.add(port.device_id)

    def moved_groups(self) -> set[str]:
        """Answer the security groups whose members' addresses changed: those of new and removed ports, and those of which
        ports told of twice show a difference."""
        moved: set[str] = set()
        for seen in self._members.values():
            first, last = (seen[0] if len(seen) > 1 else {}), seen[-1]
            moved |= {group_id for group_id in first.keys() | last.keys() if first.get(group_id, _NONE) != last.get(group_id, _NONE)}
        return moved


class Store:
    """The network service's database and settings. `ring` tells a host's agent to look; it must not wait or raise."""

    def __init__(self, cells: Cells, clock: Clock, conf: cfg.ConfigOpts, ring: Ring) -> None:
        self.cells = cells
        self.database = cells.shared
        self.clock = clock
        self.conf = conf
        self.settings = conf.network
        self._ring = ring
        self._expected = threading.local()

    @contextmanager
    def expecting(self, model: Any, key: str, revision: int) -> Iterator[None]:
        """Let changes which this thread makes inside fail with RevisionNumberConstraintFailed unless a row has this revision."""
        self._expected.row = (model, key, revision)
        try:
            yield
        finally:
            del self._expected.row

    def _check_expected(self, session: Session) -> None:
        row = getattr(self._expected, "row", None)
        if row is not None:
            model, key, revision = row
            found = network_listing.lock(session, model, key)
            if found is not None and found != revision:
                raise errors.RevisionNumberConstraintFailed(f"Constrained to {revision}, but current revision is {found}")

    def change(self, function: Callable[Concatenate[Change, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(change, ...)` in a transaction, then ring the hosts it touched.

        A uniqueness that another transaction took first makes it run again, so that it can find out and say so.
        """
        def run(session: Session) -> tuple[T, dict[str, int], set[str], set[str], set[str]]:
            self._check_expected(session)
            change = Change(session, self.clock.now())
            answer = function(change, *args, **kwargs)
            session.flush()
            moved = change.moved_groups()
            if moved:
                security_groups.move_members(session, moved)
            return answer, network_hosts.touch(session, change.touched), change.servers, change.groups, moved

        for _ in range(3):
            try:
                answer, revisions, servers, changed, moved = self.database.write(run)
            except IntegrityError as error:
                LOG.info("a change collided with another one and runs again: %s", error.orig)
                continue
            for host, revision in revisions.items():
                self._ring(host, revision)
            self._ring_groups(changed, moved, revisions.keys())
            for uuid in sorted(servers):
                self._refresh(uuid)
            return answer
        raise Conflict("Somebody else changes the same thing at the same time; try again.")

    def _ring_groups(self, changed: Collection[str], moved: Collection[str], rung: Collection[str]) -> None:
        """Ring the hosts which need security groups that changed. They are looked for after the commit: a host which came to
        need them meanwhile is found then, or else fetches what was committed."""
        if changed or moved:
            for host in self.database.fetch(lambda session: security_groups.hosts(session, changed=changed, moved=moved)):
                if host not in rung:
                    self._ring(host, 0)

    def _refresh(self, uuid: str) -> None:
        """Let compute's copy of a server's addresses say what is stored now."""
        current = self.database.fetch(lambda session: vifs.build(session, ports.of_device(session, uuid)))
        try:
            self.cells.of_instance(uuid).write(port_cache.refresh, uuid, current)
        except NotFound:
            LOG.debug("instance %s was deleted while its addresses changed", uuid)

    def agents(self) -> list[str]:
        """Answer the hosts whose network agents live, and are not disabled."""
        return sorted({service.host for service in self.agent_services() if service.up and not service.disabled})

    def agent_services(self) -> list[Service]:
        """Answer all network agents."""
        patience = float(self.conf.service_down_time)
        return [service for cell in self.cells for service in cell.fetch(hosts.list_services, binary=AGENT, down_after=patience)]

    def limits(self, session: Session, project_id: str) -> dict[str, int]:
        """Answer a project's limits of all network resources; -1 is unlimited."""
        configured = {resource: int(self.settings[f"quota_{resource}"]) for resource in RESOURCES}
        return configured | network_quotas.limits(session, project_id)

    def usage(self, session: Session, project_id: str) -> dict[str, int]:
        """Answer how many of each network resource a project has."""
        return {resource: _count(session, resource, project_id) for resource in RESOURCES}

    @staticmethod
    def serialize(change: Change, project_id: str) -> None:
        """Make other changes of the project's networks which count or look for what is there wait until this one ends."""
        quotas.lock(change.session, f"network:{project_id}")

    def require(self, change: Change, project_id: str, resource: str, wanted: int = 1) -> None:
        """Raise OverQuota unless the project may have `wanted` more. Others of the project wait until this transaction ends."""
        self.serialize(change, project_id)
        self.check(change, project_id, resource, wanted)

    def check(self, change: Change, project_id: str, resource: str, wanted: int) -> None:
        """The same where the project's changes are serialized already."""
        limit = self.limits(change.session, project_id)[resource]
        if limit < 0:
            return
        if _count(change.session, resource, project_id) + wanted > limit:
            raise errors.OverQuota(f"Quota exceeded for resources: ['{resource}'].", overs=(resource,))


def _count(session: Session, resource: str, project_id: str) -> int:
    alone = {"router": routers, "floatingip": floating_ips, "subnetpool": subnet_pools}
    if resource in alone:
        return int(alone[resource].count(session, project_id))
    if resource.startswith("security_group"):
        return security_groups.count(session, resource, project_id)
    return networks.count(session, resource, project_id)


def is_admin(ctxt: RequestContext) -> bool:
    """Tell whether the caller sees everybody's things."""
    return ctxt.is_admin or "admin" in ctxt.roles


def own(ctxt: RequestContext, project_id: str) -> bool:
    """Tell whether the caller may change a thing of a project."""
    return is_admin(ctxt) or (ctxt.project_id is not None and ctxt.project_id == project_id)


def scope(ctxt: RequestContext) -> str | None:
    """Answer the project whose things the caller's lists hold; None for everybody's."""
    return None if is_admin(ctxt) else ctxt.project_id or "-"


def visible(ctxt: RequestContext, find: Callable[[], K], missing: NovalikeError, *, others: Callable[[K], bool] | None = None) -> K:
    """Answer what `find` finds if it is the caller's, or if `others` says that it is for others to see too. Raises `missing`."""
    try:
        found = find()
    except NotFound:
        raise missing from None
    if own(ctxt, found.project_id) or (others is not None and others(found)):
        return found
    raise missing


def visible_network(session: Session, ctxt: RequestContext, network_id: str, *, change: bool = False) -> Network:
    """Answer a network which the caller may see, or change. Raises NetworkNotFound."""
    return visible(
        ctxt, lambda: networks.get(session, network_id), errors.NetworkNotFound(f"Network {network_id} could not be found."),
        others=lambda network: not change and (network.shared or network.external),
    )


def visible_subnet(session: Session, ctxt: RequestContext, subnet_id: str, *, change: bool = False) -> NetworkSubnet:
    """Answer a subnet which the caller may see, or change. Raises SubnetNotFound."""
    return visible(
        ctxt, lambda: networks.get_subnet(session, subnet_id), errors.SubnetNotFound(f"Subnet {subnet_id} could not be found."),
        others=lambda subnet: not change and networks.get(session, subnet.network_id).shared,
    )


def visible_port(session: Session, ctxt: RequestContext, port_id: str, *, lock: bool = False) -> Port:
    """Answer a port which the caller may see and change: those of its network's owner, too. Raises PortNotFound."""
    return visible(
        ctxt, lambda: ports.get(session, port_id, lock=lock), errors.PortNotFound(f"Port {port_id} could not be found."),
        others=lambda port: networks.get(session, port.network_id).project_id == ctxt.project_id,
    )


def visible_group(session: Session, ctxt: RequestContext, group_id: str) -> SecurityGroup:
    """Answer a security group which the caller may see and change. Raises SecurityGroupNotFound."""
    missing = errors.SecurityGroupNotFound(f"Security group {group_id} does not exist")
    return visible(ctxt, lambda: security_groups.get(session, group_id), missing)


def visible_router(session: Session, ctxt: RequestContext, router_id: str, *, lock: bool = False) -> Router:
    """Answer a router which the caller may see and change. Raises RouterNotFound."""
    missing = errors.RouterNotFound(f"Router {router_id} could not be found")
    return visible(ctxt, lambda: routers.get(session, router_id, lock=lock), missing)


def visible_floating(session: Session, ctxt: RequestContext, floating_id: str, *, lock: bool = False) -> FloatingIp:
    """Answer a floating address which the caller may see and change. Raises FloatingIPNotFound."""
    missing = errors.FloatingIPNotFound(f"Floating IP {floating_id} could not be found")
    return visible(ctxt, lambda: floating_ips.get(session, floating_id, lock=lock), missing)
