"""The command line of `novalike-manage`: groups of commands, one file each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from oslo_config import cfg
from sqlalchemy.exc import SQLAlchemyError

from novalike import conf as configuration
from novalike.db import connections
from novalike.exception import NovalikeError
from novalike.manage import archive, cell, db, host, identity, network, placement, scheduler, task
from novalike.manage.command import Command, Session
from novalike.manage.import_nova import command as import_nova
from novalike.manage.output import Output

COMMANDS: tuple[Command, ...] = (
    *db.COMMANDS, *archive.COMMANDS, *cell.COMMANDS, *host.COMMANDS, *task.COMMANDS, *placement.COMMANDS, *scheduler.COMMANDS,
    *identity.COMMANDS, *network.COMMANDS, *import_nova.COMMANDS,
)
GROUPS = {
    "db": "The databases' tables.", "cell": "Where instances live.", "host": "Hypervisors.", "task": "Durable tasks.",
    "placement": "Claims, and what nobody owns.", "scheduler": "Decisions about servers, and dry runs.",
    "identity": "Accounts of the local identity service.", "network": "Networks of the local network service.",
}


def parser() -> argparse.ArgumentParser:
    """Answer the parser of the whole command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="answer JSON instead of a table")
    top = argparse.ArgumentParser(prog="novalike-manage", description="Administer novalike at its databases.")
    top.add_argument("--config-file", action="append", metavar="PATH", help="configuration file; may be given several times")
    groups = top.add_subparsers(dest="group", required=True, metavar="GROUP")
    names = {name: groups.add_parser(name, help=text, description=text) for name, text in GROUPS.items()}
    commands = {name: one.add_subparsers(dest="command", required=True, metavar="COMMAND") for name, one in names.items()}
    for command in COMMANDS:
        if command.name:
            one = commands[command.group].add_parser(command.name, help=command.help, description=command.help, parents=[shared])
        else:
            one = groups.add_parser(command.group, help=command.help, description=command.help, parents=[shared])
        command.options(one)
        one.set_defaults(run=command.run, failed=command.failed)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and answer its exit status: 0 fine, 1 no, 2 wrong usage or configuration, 3 the database failed
    (those named as Nova's have Nova's)."""
    parsed = parser().parse_args(arguments)
    output = Output(as_json=parsed.json)
    try:
        conf = configuration.load(files=parsed.config_file)
    except cfg.Error as error:
        output.remark(f"novalike-manage: {error}")
        return 2
    return run(conf, parsed, output)


def run(conf: cfg.ConfigOpts, parsed: argparse.Namespace, output: Output) -> int:
    """Run a parsed command over the configured databases."""
    cells = None
    try:
        cells = connections.open_cells(conf)
        return int(parsed.run(Session(conf, cells, parsed, output)))
    except NovalikeError as error:
        output.remark(f"novalike-manage: {error}")
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        output.remark(f"novalike-manage: the database failed: {reason} (were the tables made? novalike-manage db sync)")
    finally:
        if cells is not None:
            connections.close(cells)
    return int(parsed.failed)


if __name__ == "__main__":
    sys.exit(main())
