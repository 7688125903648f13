"""Make the recorded Nova of tests/data: a real one beside a stack, a story told to it, what it answers, and its databases.

    devstack/stack up --shape dropin --driver fake --computes 2 --state DIR --port-base N
    python -m devstack.nova_dump --state DIR [--into tests/data/nova-34]

Installs Nova and Placement from PyPI first (devstack/nova.txt; minutes, once). The stack's daemons stop for it; afterwards Nova is
down, and the stack can be brought up again: import-nova then has a Nova to take over. Give it a new stack each time.
"""

from __future__ import annotations

import argparse
import datetime as dt
import decimal
import gzip
import json
import sys
import time
import urllib.error
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from devstack.client import Client
from devstack.nova import RealNova
from devstack.nova_story import Story
from devstack.progress import step
from devstack.stack import TOP, Stack
from novalike.manage.import_nova.source import API, CELL, NEEDED

#: Databases which an import reads; the others are Placement's.
READ = ("nova_api", "nova_cell0", "nova_cell1")
#: What Nova leaves in its tables that nobody needs.
LEFT_OUT = frozenset({"alembic_version", "console_auth_tokens", "instance_id_mappings", "s3_images", "security_groups", "task_log"})
#: Columns with passwords.
SECRET = frozenset({"transport_url", "database_connection"})
VERSIONS = ("2.1", "2.60", "2.100")
LISTS = (
    "/servers/detail?all_tenants=1", "/servers?all_tenants=1",
    "/flavors/detail?is_public=None", "/os-keypairs", "/os-aggregates", "/os-server-groups?all_projects=1", "/os-services",
    "/os-hypervisors", "/os-availability-zone/detail", "/os-migrations", "/os-quota-class-sets/default", "/limits",
)
OF_SERVER = ("", "/os-instance-actions", "/metadata", "/tags", "/ips")


class Recorder:
    """Asks and remembers: `WHO VERSION PATH` -> [status, body]."""

    def __init__(self, clients: dict[str, Client]) -> None:
        self._clients = clients
        self.answers: dict[str, Any] = {}

    def ask(self, who: str, version: str, path: str) -> Any:
        """Answer what the API answers, and remember it."""
        try:
            answer = [200, self._clients[who].ask("GET", "compute", path, version=version)]
        except urllib.error.HTTPError as error:
            answer = [error.code, None]
        self.answers[f"{who} {version} {path}"] = answer
        return answer[1]

    def all(self, story: Story) -> None:
        """Ask everything that is compared after an import."""
        for version in VERSIONS:
            for path in LISTS:
                self.ask("admin", version, path)
            self.ask("demo", version, "/servers/detail")
            self.ask("demo", version, "/flavors/detail")
            self.ask("demo", version, "/os-keypairs")
        newest = VERSIONS[-1]
        for uuid in story.servers.values():
            for tail in OF_SERVER:
                answer = self.ask("admin", newest, f"/servers/{uuid}{tail}")
                for action in (answer or {}).get("instanceActions", ()) if tail == "/os-instance-actions" else ():
                    self.ask("admin", newest, f"/servers/{uuid}/os-instance-actions/{action['request_id']}")
        for path in (f"/os-quota-sets/{story.project}/detail", f"/os-quota-sets/{story.project}/detail?user_id={story.user}",
                     f"/os-quota-sets/{story.project}/defaults", "/flavors/auto/os-flavor-access", "/flavors/2/os-extra_specs"):
            self.ask("admin", newest, path)


def dump(database_url: str) -> dict[str, Any]:
    """Answer the tables which hold rows: columns with their types, and rows."""
    found: dict[str, Any] = {}
    for name in READ:
        engine = sa.create_engine(f"{database_url}{name}")
        metadata = sa.MetaData()
        metadata.reflect(engine)
        with engine.connect() as connection:
            tables = {}
            for table in sorted(metadata.tables.values(), key=lambda table: table.name):
                if table.name.startswith("shadow_") or table.name in LEFT_OUT:
                    continue
                rows = [[_plain(value) if name not in SECRET else None for name, value in zip(table.columns.keys(), row, strict=True)] for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))]
                if rows or table.name in NEEDED[API] or table.name in NEEDED[CELL]:
                    tables[table.name] = {"columns": [[column.name, _kind(column)] for column in table.columns], "rows": rows}
        engine.dispose()
        found[name] = tables
    return found


def _kind(column: sa.Column[Any]) -> str:
    kind = column.type.as_generic()
    return type(kind).__name__


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return float(value) if isinstance(value, decimal.Decimal) else value


def main(words: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m devstack.nova_dump", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="the state directory of the stack")
    parser.add_argument("--port", type=int, default=22120, help="where Placement listens")
    parser.add_argument("--into", type=Path, default=TOP / "tests" / "data" / "nova-34")
    given = parser.parse_args(words)
    stack = Stack(given.state)
    nova = RealNova(stack, port=given.port)
    for daemon in reversed(stack.daemons()):
        stack.end(daemon.name)
    clients = {"admin": nova.up(), "demo": stack.client("demo")}
    try:
        with step("servers and what belongs to them"):
            story = Story(clients["admin"], clients["demo"], nova.hosts)
            story.tell()
        with step("its answers"):
            time.sleep(5)                        # the last events of Neutron
            recorder = Recorder(clients)
            recorder.all(story)
    finally:
        with step("Nova stopped"):
            nova.down()
    users = {who: {"user": _id(clients, "users", who), "project": _id(clients, "projects", who)} for who in clients}
    given.into.mkdir(parents=True, exist_ok=True)
    write(given.into, "database", dump(nova.database_url))
    write(given.into, "answers", {"users": users, "servers": story.servers, "answers": recorder.answers})
    return 0


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write a compressed file, the same for the same content."""
    with (folder / f"{name}.json.gz").open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
        file.write(json.dumps(content, indent=0, sort_keys=True).encode())


def _id(clients: dict[str, Client], collection: str, name: str) -> str:
    return str(clients["admin"].ask("GET", "identity", f"/{collection}?name={name}")[collection][0]["id"])


if __name__ == "__main__":
    sys.exit(main())
