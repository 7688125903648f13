"""Host aggregates, and with them the availability zones."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from novalike.db import imports
from novalike.db.models.projects import AggregateHostRow, AggregateRow
from novalike.manage.import_nova.plan import Left, Plan
from novalike.manage.import_nova.source import NovaDatabase
from novalike.manage.import_nova.target import Target
from novalike.objects.aggregate import ZONE_KEY


def take(nova: NovaDatabase, target: Target, plan: Plan) -> None:
    """Take over the aggregates which are not here, known by uuid."""
    account = plan.of("aggregates")
    for batch in nova.rows("aggregates"):
        here = target.shared.fetch(imports.present, AggregateRow.uuid, [row["uuid"] for row in batch])
        names = target.shared.fetch(imports.present, AggregateRow.name, [row["name"] for row in batch])
        account.here += len(here)
        fresh = []
        for row in batch:
            if row["uuid"] in here:
                continue
            if row["name"] in names:
                account.leave(row["name"], Left("whose name another aggregate has here"))
            else:
                fresh.append(row)
        account.new += len(fresh)
        ids = [row["id"] for row in fresh]
        hosts, metadata = nova.of("aggregate_hosts", "aggregate_id", ids), nova.of("aggregate_metadata", "aggregate_id", ids)
        target.write(target.shared, _store, [{
            "id": row["id"], "uuid": row["uuid"], "name": row["name"], "meta": {one["key"]: one["value"] for one in metadata.get(row["id"], [])},
            "created_at": row.get("created_at") or target.now, "updated_at": row.get("updated_at"),
        } for row in fresh], {row["uuid"]: [one["host"] for one in hosts.get(row["id"], [])] for row in fresh})


def _store(session: Session, rows: list[dict[str, Any]], hosts: dict[str, list[str]]) -> None:
    imports.add(session, AggregateRow, rows)
    ids = imports.numbers(session, AggregateRow, "uuid", hosts)
    session.add_all(AggregateHostRow(aggregate_id=ids[uuid], host=host) for uuid, names in hosts.items() for host in names)


def zones(nova: NovaDatabase) -> dict[str, str]:
    """Answer which hosts Nova has in which availability zone; hosts of none are left out."""
    found: dict[str, str] = {}
    for batch in nova.rows("aggregates"):
        ids = [row["id"] for row in batch]
        hosts, metadata = nova.of("aggregate_hosts", "aggregate_id", ids), nova.of("aggregate_metadata", "aggregate_id", ids)
        for number in ids:
            zone = next((one["value"] for one in metadata.get(number, []) if one["key"] == ZONE_KEY), None)
            found |= {one["host"]: zone for one in hosts.get(number, []) if zone}
    return found
