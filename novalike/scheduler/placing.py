"""The RPC endpoint: snapshot, select, claim; the next best host on a lost race."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import claims, decisions, server_groups
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.exception import Fenced, NotFound, NoValidHost, NovalikeError, Unavailable
from novalike.hardware.capacity import Overrides, Ratios, demand, overrides
from novalike.objects import decision as objects
from novalike.objects.flavor import Flavor
from novalike.objects.request_spec import NoHost, Placement, RequestSpec
from novalike.objects.server_group import AFFINITY, places, refusal
from novalike.rpc.scheduler import Scheduler
from novalike.scheduler.drivers.base import Driver
from novalike.scheduler.explain import explain
from novalike.scheduler.filters.affinity import servers
from novalike.scheduler.hardware import HardwareWishes
from novalike.scheduler.host_manager import HostManager
from novalike.scheduler.host_state import HINTED_HOSTS, HostState
from novalike.scheduler.nearest import Refusal
from novalike.scheduler.picks import Picks
from novalike.scheduler.record import for_operators, record
from novalike.scheduler.select import CLEANUP, Decision, Ranked, passes, select
from novalike.scheduler.snapshot import Snapshot

LOG = logging.getLogger(__name__)

#: How many hosts of one snapshot are tried before a new one is taken, and how many snapshots before the caller is told to
#: come again: losing so often means a stampede, not a full cloud.
ALTERNATES, SNAPSHOTS = 8, 25


class Placing(Scheduler):
    """Chooses a host for one server and claims it in the same breath."""

    def __init__(
        self, cells: Cells, hosts: HostManager, *, driver: Driver, ratios: Ratios, wishes: HardwareWishes | None = None,
    ) -> None:
        self._cells = cells
        self._hosts = hosts
        self._driver = driver
        self._ratios = ratios
        self._picks = Picks()
        self._wishes = wishes or HardwareWishes()

    def select_host(self, ctxt: RequestContext, *, spec: RequestSpec) -> Placement:
        """Choose and claim; see rpc/scheduler.py.

        Raises NoValidHost, Fenced, and Unavailable when every race was lost or the database does not answer.
        """
        cell, database = self._cell_of(spec)
        refused: dict[int, Refusal] = {}
        looked_again, lost = False, 0
        for _ in range(SNAPSHOTS):
            snapshot = self._hosts.snapshot(cell, fresh_aggregates=looked_again)
            spec = self._looked_up(spec, database)
            decision, candidates = self._candidates(spec, snapshot, refused)
            if not candidates:
                held = database.fetch(claims.held_by, spec)
                if held is not None:
                    return _placement(held, decision, snapshot)
                if not looked_again:             # aggregates may be a second old
                    looked_again = True
                    continue
                current = [one for one in refused.values() if _refuses(refused, one.host)]
                raise self._no_host(ctxt, database, spec, decision, [*current, *_forbidden(spec, decision)], lost)
            for ranked in candidates:
                with self._picks.on(ranked.host.node_id, demand(spec.flavor, root_volume=spec.root_volume)):
                    noted = record(
                        spec, decision, request_id=ctxt.request_id, driver=self._driver.name, host=ranked.host.host, lost=lost,
                        refusals=tuple(refused.values()),
                    )
                    outcome = self._claim(database, spec, ranked.host, noted, self._hosts.known_inventories(cell))
                if isinstance(outcome, claims.Claimed):
                    return _placement(outcome, decision, snapshot, ranked)
                lost += 1
                if isinstance(outcome, claims.AgainstPolicy):
                    if spec.group is not None and spec.group.policy == AFFINITY:
                        break                    # another server of the group chose a host: go there
                    continue                     # the filter will say so, once the group was looked at again
                refused[ranked.host.node_id] = outcome
        raise Unavailable("Too many servers are being placed at the same time.")

    def warm_up(self, snapshot: Snapshot) -> None:
        """Decide about a server which nobody wants, so that columns are there when the first one comes."""
        flavor = Flavor(flavorid="", name="", vcpus=1, memory_mb=1, root_gb=1)
        for zone in (None, "nowhere"):
            spec = RequestSpec(instance_uuid="", project_id="", user_id="", flavor=flavor, availability_zone=zone)
            _ = self._decide(spec, snapshot).ranked[:1]

    def check_rebuild(self, ctxt: RequestContext, *, spec: RequestSpec) -> None:
        """Ask the filters which look at images about the server's own host; see rpc/scheduler.py."""
        cell, _database = self._cell_of(spec)
        snapshot = [one for one in self._hosts.snapshot(cell) if (one.host, one.node) == (spec.requested_host, spec.requested_node)]
        filters = tuple(one for one in self._driver.filters if one.asked_of_images)
        decision = select(spec, snapshot, filters, (), "", self._driver.options)
        if not any(removed.by != CLEANUP for removed in decision.removed) and snapshot:
            return                               # debts are of other servers: this one takes no room that it has not
        raise NoValidHost(explain(spec, decision, filters).summary)

    def explain(self, ctxt: RequestContext, *, spec: RequestSpec) -> NoHost:
        """Answer how hosts would be judged now, without claiming; for operators."""
        cell, database = self._cell_of(spec)
        spec = self._looked_up(spec, database)
        return explain(spec, self._decide(spec, self._hosts.snapshot(cell, fresh_aggregates=True)), self._driver.filters)

    def _looked_up(self, spec: RequestSpec, database: Database) -> RequestSpec:
        """Answer the spec with its wish for hardware, and where its server group and the servers which its hints name are now."""
        spec = self._wishes.looked_up(spec)
        if HINTED_HOSTS in self._driver.needs:
            named = {uuid for hint in ("same_host", "different_host") for uuid in servers(spec, hint)}
            if named:
                spec = replace(spec, hinted_hosts=database.fetch(claims.hosts_of, named, project_id=spec.project_id))
        return self._with_group(spec, database)

    def _with_group(self, spec: RequestSpec, database: Database) -> RequestSpec:
        """A group which was deleted binds nobody."""
        if spec.server_group is None:
            return spec
        group = self._cells.shared.fetch(server_groups.find, spec.server_group)
        if group is None:
            return replace(spec, group=None)
        others = database.fetch(claims.group_hosts, group.uuid, apart_from=spec.instance_uuid)
        return replace(spec, group=places(group, others))

    def _decide(self, spec: RequestSpec, hosts: Sequence[HostState]) -> Decision:
        return self._driver.decide(spec, hosts, f"{spec.instance_uuid}/{spec.epoch}")

    def _candidates(self, spec: RequestSpec, snapshot: Snapshot, refused: dict[int, Refusal]) -> tuple[Decision, list[Ranked]]:
        """Decide, and answer the hosts to be tried: best first as they will be when claims under way are done, full ones last."""
        found: dict[int, Ranked] = {}
        later = self._picks.added(snapshot)
        if later is not snapshot:
            decision = self._decide(spec, later)
            for one in decision.ranked:
                host = snapshot.find(one.host.node_id) or one.host
                if _usable(spec, host, refused) and (host is one.host or passes(spec, host, self._driver.filters)):
                    found[host.node_id] = Ranked(host, one.weight)
                    if len(found) == ALTERNATES:
                        return decision, list(found.values())
        decision = self._decide(spec, snapshot)
        for one in decision.ranked:
            if len(found) == ALTERNATES:
                break
            if one.host.node_id not in found and _usable(spec, one.host, refused):
                found[one.host.node_id] = one
        return decision, list(found.values())

    def _claim(
        self, database: Database, spec: RequestSpec, host: HostState, noted: objects.Decision, read: claims.ReadInventory,
    ) -> claims.Claimed | claims.AgainstPolicy | Refusal:
        outcome = database.write(
            _claim_and_note, spec, noted, node_id=host.node_id, availability_zone=host.availability_zone, ratios=self._ratios,
            overrides=overrides(host.metadata), read=read,
        )
        if isinstance(outcome, claims.Claimed):
            return outcome
        LOG.debug("instance %s lost the race for %s: %s", spec.instance_uuid, host.host, outcome)
        if isinstance(outcome, claims.AgainstPolicy):
            return outcome
        if isinstance(outcome, claims.DoesNotFit):
            return Refusal(host, outcome.shortages, outcome.reason)
        return Refusal(host, reason=outcome.reason)

    def _no_host(
        self, ctxt: RequestContext, database: Database, spec: RequestSpec, decision: Decision, refusals: Sequence[Refusal], lost: int,
    ) -> NovalikeError:
        answer = explain(spec, decision, self._driver.filters, refusals)
        kept = record(
            spec, decision, request_id=ctxt.request_id, driver=self._driver.name, refusals=refusals, lost=lost, answer=answer,
        )
        database.write(decisions.add, spec.instance_uuid, kept)
        LOG.info("instance %s: %s", spec.instance_uuid, answer.summary)
        if LOG.isEnabledFor(logging.DEBUG):
            for removed in decision.removed:
                LOG.debug("instance %s: %s removed by %s: %s", spec.instance_uuid, removed.host.host, removed.by, removed.reason)
        return NoValidHost(answer.summary, details=for_operators(kept))

    def _cell_of(self, spec: RequestSpec) -> tuple[str, Database]:
        try:
            database = self._cells.of_instance(spec.instance_uuid)
        except NotFound:
            raise Fenced(f"Instance {spec.instance_uuid} is gone.") from None
        return next(name for name in self._cells.names() if self._cells.cell(name) is database), database


def _claim_and_note(
    session: Session, spec: RequestSpec, noted: objects.Decision, *, node_id: int, availability_zone: str, ratios: Ratios,
    overrides: Overrides, read: claims.ReadInventory,
) -> claims.Claimed | claims.DoesNotFit | claims.AgainstPolicy | claims.Unusable:
    outcome = claims.claim(
        session, spec, node_id=node_id, availability_zone=availability_zone, ratios=ratios, overrides=overrides, read=read,
    )
    if isinstance(outcome, claims.Claimed) and outcome.fresh:
        decisions.add(session, spec.instance_uuid, noted)
    return outcome


def _forbidden(spec: RequestSpec, decision: Decision) -> list[Refusal]:
    """Answer the hosts which passed and yet break the group's policy: filters may be turned off, or skipped for a forced host."""
    if spec.group is None:
        return []
    reasons = ((one.host, refusal(spec.group, one.host.host)) for one in decision.ranked)
    return [Refusal(host, reason=reason) for host, reason in reasons if reason is not None]


def _usable(spec: RequestSpec, host: HostState, refused: dict[int, Refusal]) -> bool:
    # A host which refused and has not changed since would refuse again.
    return not _refuses(refused, host) and (spec.group is None or refusal(spec.group, host.host) is None)


def _refuses(refused: dict[int, Refusal], host: HostState) -> bool:
    known = refused.get(host.node_id)
    return known is not None and known.host is host


def _placement(
    claimed: claims.Claimed, decision: Decision, snapshot: Snapshot, ranked: Ranked | None = None,
) -> Placement:
    node_id = claimed.claim.compute_node_id
    same = ranked is not None and ranked.host.node_id == node_id
    # An instance which holds a second claim is not there yet: its own zone is another host's.
    there = snapshot.find(node_id)
    zone = claimed.availability_zone if there is None else there.availability_zone
    return Placement(
        host=claimed.claim.host, node=claimed.claim.node, availability_zone=zone,
        considered=decision.considered, weight=ranked.weight if ranked is not None and same else 0.0,
        hardware=claimed.claim.hardware,
    )
