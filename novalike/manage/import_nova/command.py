"""The command line of `novalike-manage import-nova`."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, closing

from novalike.clock import Clock
from novalike.db import migrations
from novalike.exception import Invalid
from novalike.identity.sessions import Sessions, is_remote
from novalike.manage.command import Command, Session
from novalike.manage.import_nova import aggregates, flavors, hosts, ports, projects
from novalike.manage.import_nova.plan import COLUMNS, Left, Plan
from novalike.manage.import_nova.servers import Servers
from novalike.manage.import_nova.source import API, CELL, NovaDatabase
from novalike.manage.import_nova.target import Target, named
from novalike.network import neutron
from novalike.network.neutron_memory import Adoption

#: Nova's default of `instance_name_template`.
TEMPLATE = "instance-%08x"


def run(session: Session) -> int:
    """Take a Nova over, or tell what would be; status 1 when something is left which somebody has to look at."""
    arguments = session.arguments
    _check_own(session)
    cell = arguments.cell or session.cells.for_new_instance()
    session.cells.cell(cell)
    target = Target(
        session.cells, cell, Clock().now(), dry_run=arguments.dry_run, reset_tasks=arguments.reset_tasks,
        name_template=arguments.instance_name_template, default_zone=session.conf.default_availability_zone,
    )
    named(target.name_template, {"id": 1, "uuid": ""})      # a wrong one is told before anything is written
    plan = Plan()
    with ExitStack() as opened:
        api = opened.enter_context(closing(NovaDatabase(arguments.api_connection, API)))
        cells = [opened.enter_context(closing(NovaDatabase(url, CELL))) for url in arguments.connection]
        _take(api, cells, target, plan, _adoption(session))
    session.output.rows(COLUMNS, plan.rows(), empty="")
    if arguments.dry_run:
        session.output.remark("Nothing was written: this is what would be.")
    return 1 if plan.matters else 0


def _check_own(session: Session) -> None:
    """Raise Invalid unless all tables of ours are at the newest revision."""
    stale = ["global"] if migrations.current(session.cells.shared, migrations.GLOBAL) != migrations.head(migrations.GLOBAL) else []
    stale += [name for name in session.cells.names() if migrations.current(session.cells.cell(name), migrations.CELL) != migrations.head(migrations.CELL)]
    if stale:
        raise Invalid(f"The tables of {', '.join(stale)} are not at the newest revision; run novalike-manage db sync.")


def _adoption(session: Session) -> Adoption | None:
    if not is_remote(session.conf) or session.arguments.skip_ports:
        return None
    return Adoption(neutron.connect(Sessions(session.conf).of("neutron"), session.conf.neutron))


def _take(api: NovaDatabase, cells: list[NovaDatabase], target: Target, plan: Plan, adoption: Adoption | None) -> None:
    flavors.take(api, target, plan)
    projects.take_keypairs(api, target, plan)
    projects.take_limits(api, target, plan)
    aggregates.take(api, target, plan)
    projects.take_groups(api, target, plan)
    servers = Servers(api, target, plan, aggregates.zones(api), adoption)
    # Cells with hosts first: their servers' numbers are their guests' names, so that cell0's give way.
    for nova in sorted(cells, key=lambda one: one.count("compute_nodes") == 0):
        places = hosts.take(nova, target, plan)
        ports.take(servers.take(nova, places), target, plan, adoption)
    servers.account_missing()
    waiting = api.count("build_requests")
    if waiting:
        plan.of("builds").leave("", Left("which no cell has yet: let Nova end them, or create them again"), count=waiting)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--api-connection", required=True, metavar="URL", help="Nova's API database ([api_database] connection of its nova.conf)")
    parser.add_argument("--connection", required=True, action="append", metavar="URL", help="a cell's database; once for each cell, cell0 included")
    parser.add_argument("--cell", help="the cell here which takes its servers (the first)")
    parser.add_argument("--dry-run", action="store_true", help="write nothing: show what would be")
    parser.add_argument("--reset-tasks", action="store_true", help="take servers over on which Nova was working, too: idle, builds in ERROR")
    parser.add_argument("--instance-name-template", default=TEMPLATE, metavar="TEXT", help="Nova's option of that name, if it was set (instance-%%08x)")
    parser.add_argument("--skip-ports", action="store_true", help="do not tell Neutron of the servers' ports now; run it again without this")


COMMANDS = (Command("import-nova", "", "Take over a Nova: its databases are read, ours are written. May be repeated.", run, _options),)
