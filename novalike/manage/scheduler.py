"""`novalike-manage scheduler`: why a server is where it is, and where others would go."""

from __future__ import annotations

import argparse
import json
import uuid as uuid_module
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import orm as sa_orm

from novalike.clock import Clock
from novalike.db import claims, decisions, flavors, images, running
from novalike.exception import Invalid, NotFound
from novalike.hardware.capacity import Ratios
from novalike.manage.command import Command, Session
from novalike.objects.decision import Decision
from novalike.objects.flavor import Flavor
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler import plugins, simulation
from novalike.scheduler.explain import explain
from novalike.scheduler.filters.affinity import servers
from novalike.scheduler.hardware import HardwareWishes
from novalike.scheduler.host_manager import HostManager
from novalike.scheduler.options import Options
from novalike.scheduler.record import removals
from novalike.scheduler.snapshot import Snapshot

REMOVED = ("hosts", "removed_by", "reason", "such_as")
#: A server is placed by looking at all hosts: more of them are a matter of minutes.
MOST = 1000


def show(session: Session) -> int:
    """Explain the newest decision about a server, or all that are kept of it; status 1 when there is none."""
    server = session.arguments.server
    found = [one for database in session.cells for one in database.fetch(decisions.listed, server)]
    if not found:
        session.output.remark(f"No decision about server {server} is kept.")
        return 1
    shown = found if session.arguments.all else found[:1]
    if session.arguments.json:
        session.output.document([asdict(one) for one in shown])
        return 0
    for decision in shown:
        session.output.values(_in_words(decision))
        session.output.rows(REMOVED, [
            {"hosts": one.count, "removed_by": one.by, "reason": one.reason, "such_as": ", ".join(one.hosts)} for one in decision.removed
        ], empty="No host was removed.")
    return 0


def simulate(session: Session) -> int:
    """Show where servers would go, how many more fit, and what runs out first. Claims nothing; status 1 when not all fit."""
    conf, arguments = session.conf, session.arguments
    driver = plugins.load_driver(conf.scheduler.driver, Options.of(conf.filter_scheduler, conf.metrics))
    manager = HostManager(
        session.cells, Clock(), down_after=conf.service_down_time, default_zone=conf.default_availability_zone, needs=driver.needs,
        ratios=Ratios(conf.initial_cpu_allocation_ratio, conf.initial_ram_allocation_ratio, conf.initial_disk_allocation_ratio),
    )
    hosts = _together([manager.snapshot(name) for name in session.cells.names()])
    spec = _spec(session)
    placed, last = simulation.place(driver, spec, hosts, arguments.count)
    free = simulation.room(driver, spec, hosts)
    failure = explain(spec, last, driver.filters) if len(placed) < arguments.count else None
    by_host = Counter((one.host.host, one.host.node) for one in placed)
    rows = [{"host": host, "node": node, "servers": count} for (host, node), count in by_host.items()]
    limits = [{"filter": by, "reason": reason, "hosts": count} for by, reason, count in free.limits]
    if arguments.json:
        session.output.document({
            "considered": len(hosts), "placed": rows, "fit": free.servers, "hosts": free.hosts, "limits": limits,
            "removed": [asdict(one) for one in removals(last)], "refused": failure.summary if failure is not None else None,
        })
        return 0 if failure is None else 1
    session.output.rows(("host", "node", "servers"), rows, empty="No server could be placed.")
    session.output.values({
        "fit now": f"{free.servers} on {free.hosts} of {len(hosts)} hosts",
        "runs out first": f"{limits[0]['reason']} ({limits[0]['filter']}, on {limits[0]['hosts']} hosts)" if limits else None,
    })
    if failure is not None:
        session.output.values({"refused": failure.summary})
    return 0 if failure is None else 1


def _together(cells: Sequence[Snapshot]) -> Snapshot:
    """Answer the hosts of all cells, numbered anew when there are several: each cell counts from 1."""
    if len(cells) == 1:
        return cells[0]
    return Snapshot(replace(host, node_id=number) for number, host in enumerate(host for cell in cells for host in cell))


def _in_words(decision: Decision) -> dict[str, Any]:
    wanted = {"vCPUs": decision.vcpus, "MiB": decision.memory_mb, "GiB": decision.disk_gb} | decision.custom
    return {
        "at": running.stamp(decision.at).strftime("%Y-%m-%dT%H:%M:%SZ"), "request": decision.request_id,
        "driver": decision.driver, "claim": decision.role, "flavor": decision.flavor,
        "wanted": ", ".join(f"{amount} {name}" for name, amount in wanted.items()) + (f" in zone {decision.zone}" if decision.zone else ""),
        "host": decision.host, "considered": decision.considered, "passed": decision.passed, "lost races": decision.lost,
        "best": ", ".join(f"{one.host} ({one.weight:g})" for one in decision.best) or None,
        "nearest": decision.nearest,
    }


def _spec(session: Session) -> RequestSpec:
    arguments = session.arguments
    hints = _hints(arguments.hint or [])
    image, properties = arguments.image or "", dict(_pair(text) for text in arguments.property or ())
    if image:
        found = session.cells.shared.fetch(images.find, image)
        if found is None:
            raise NotFound(f"Image {image} is not in the local image service; give what it demands with --property.")
        properties = {**found.properties, **properties}
    flavor = session.cells.shared.fetch(_flavor, arguments.flavor)
    spec = RequestSpec(
        instance_uuid=str(uuid_module.uuid4()), project_id=arguments.project, user_id="", flavor=flavor, image_ref=image,
        image_properties=properties, availability_zone=arguments.zone, hints=hints, requested_host=arguments.host,
    )
    named = {server for hint in ("same_host", "different_host") for server in servers(spec, hint)}
    for database in session.cells if named else ():
        spec.hinted_hosts.update(database.fetch(claims.hosts_of, named, project_id=arguments.project))
    return HardwareWishes.of(session.conf).looked_up(spec)


def _flavor(session: sa_orm.Session, name: str) -> Flavor:
    found = flavors.list_page(session, project_id=None, is_public=None)
    for key in ("flavorid", "name"):
        for flavor in found:
            if getattr(flavor, key) == name:
                return flavor
    raise NotFound(f"Flavor {name} could not be found.")


def _hints(pairs: list[str]) -> dict[str, object]:
    hints: dict[str, object] = {}
    for name, value in (_pair(text) for text in pairs):
        if name == "group":
            raise Invalid("A server group cannot be simulated: each server would change it.")
        known = hints.get(name)
        hints[name] = value if known is None else [*(known if isinstance(known, list) else [known]), value]
    if isinstance(hints.get("query"), str):
        try:
            hints["query"] = json.loads(str(hints["query"]))
        except ValueError:
            raise Invalid("The hint query is no JSON.") from None
    return hints


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Invalid(f"{text!r} is not of the form name=value.")
    return name, value


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"from 1 to {MOST}")
    return number


def _explain_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("server", metavar="SERVER", help="a server's uuid")
    parser.add_argument("--all", action="store_true", help="all decisions that are kept, newest first")


def _simulate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--flavor", required=True, help="id or name")
    parser.add_argument("--count", type=_count, default=1, help="servers, one after the other (%(default)s)")
    parser.add_argument("--image", metavar="UUID", help="of the local image service, for its properties")
    parser.add_argument("--property", action="append", metavar="NAME=VALUE", help="an image property; may be repeated")
    parser.add_argument("--zone", help="availability zone")
    parser.add_argument("--host", help="a requested host")
    parser.add_argument("--hint", action="append", metavar="NAME=VALUE", help="a scheduler hint; may be repeated")
    parser.add_argument("--project", default="", help="whose server it would be")


COMMANDS = (
    Command("scheduler", "explain", "Explain why a server was placed where it is, or nowhere.", show, _explain_options),
    Command("scheduler", "simulate", "Show where servers would go and how many more fit. Claims nothing.", simulate, _simulate_options),
)
