"""Compute services and their nodes: what servers' claims are on. Each host tells the rest of itself when its new daemon registers."""

from __future__ import annotations

import uuid as uuid_module
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import hosts, imports
from novalike.db.models.hosts import ComputeNodeRow, ServiceRow
from novalike.manage.import_nova.plan import Left, Plan
from novalike.manage.import_nova.source import NovaDatabase, Row
from novalike.manage.import_nova.target import Target
from novalike.objects.host import HostUsage, Inventory
from novalike.rpc import serializer

#: What Nova calls the daemon which novalike-compute takes the place of.
_COMPUTE = "nova-compute"
#: A service is taken over as one which was last seen so long ago: nothing is sent to it before its new daemon registers.
_SILENT = timedelta(minutes=10)
Place = tuple[str, str]


def take(nova: NovaDatabase, target: Target, plan: Plan) -> set[Place]:
    """Take over compute services and nodes which are not here; answer the nodes (host and name) which are here then."""
    account = plan.of("compute services")
    for batch in nova.rows("services"):
        here = target.database.fetch(_services, [row["host"] for row in batch])
        fresh = []
        for row in batch:
            if row["binary"] != _COMPUTE:
                account.leave("", Left(f"{row['binary']}: novalike has its own", matters=False))
            elif row["host"] in here:
                account.here += 1
            else:
                fresh.append(_service(row, target))
        account.new += len(fresh)
        target.write(target.database, imports.add, ServiceRow, fresh)
    return _nodes(nova, target, plan)


def _services(session: Session, names: list[str]) -> set[str]:
    return set(session.scalars(sa.select(ServiceRow.host).where(ServiceRow.binary == hosts.COMPUTE_BINARY, ServiceRow.host.in_(names))))


def _service(row: Row, target: Target) -> dict[str, Any]:
    seen = min(row.get("last_seen_up") or row.get("created_at") or target.now, target.now - _SILENT)
    return {
        "id": row["id"], "uuid": row["uuid"] or str(uuid_module.uuid4()), "host": row["host"], "binary": hosts.COMPUTE_BINARY, "topic": "compute",
        "disabled": int(row.get("disabled") or 0), "disabled_reason": row.get("disabled_reason"), "forced_down": int(row.get("forced_down") or 0),
        "last_seen": _stamp(seen), "version": 1, "created_at": row.get("created_at") or target.now,
    }


def _nodes(nova: NovaDatabase, target: Target, plan: Plan) -> set[Place]:
    account = plan.of("compute nodes")
    places = target.database.fetch(_places)
    for batch in nova.rows("compute_nodes"):
        uuids = target.database.fetch(imports.present, ComputeNodeRow.uuid, [row["uuid"] for row in batch if row["uuid"]])
        fresh = []
        for row in batch:
            place = row["host"], row["hypervisor_hostname"]
            if place in places:
                account.here += 1
            elif not all((*place, row["uuid"])):
                account.leave(str(place[1]), Left("without a host, a name or a uuid"))
            elif row["uuid"] in uuids:
                account.leave(str(place[1]), Left("which is known here under another name"))
            else:
                fresh.append(_node(row, target))
                places.add(place)
        account.new += len(fresh)
        target.write(target.database, imports.add, ComputeNodeRow, fresh)
    return places


def _places(session: Session) -> set[Place]:
    query = sa.select(ComputeNodeRow.host, ComputeNodeRow.node).where(ComputeNodeRow.deleted == 0)
    return {(host, node) for host, node in session.execute(query)}


def _node(row: Row, target: Target) -> dict[str, Any]:
    inventory = Inventory(
        host=row["host"], node=row["hypervisor_hostname"], uuid=row["uuid"], hypervisor_type=row.get("hypervisor_type") or "",
        hypervisor_version=row.get("hypervisor_version") or 0, host_ip=str(row.get("host_ip") or ""), vcpus=row["vcpus"],
        memory_mb=row["memory_mb"], local_gb=row["local_gb"], cpu_info=_json(row.get("cpu_info"), {}),
        supported=tuple((str(one[0]), str(one[1]), str(one[2])) for one in _json(row.get("supported_instances"), []) if len(one) == 3),
        # Nova writes 0.0 for "the default".
        cpu_allocation_ratio=row.get("cpu_allocation_ratio") or None, ram_allocation_ratio=row.get("ram_allocation_ratio") or None,
        disk_allocation_ratio=row.get("disk_allocation_ratio") or None,
    )
    usage = HostUsage(
        memory_mb_used=row.get("memory_mb_used") or 0, local_gb_used=row.get("local_gb_used") or 0,
        disk_available_least=row.get("disk_available_least") or 0, running_vms=row.get("running_vms") or 0,
    )
    return {
        "id": row["id"], "uuid": row["uuid"], "host": row["host"], "node": row["hypervisor_hostname"], "vcpus": row["vcpus"],
        "memory_mb": row["memory_mb"], "local_gb": row["local_gb"], "inventory": serializer.dump(Inventory, inventory),
        "usage": serializer.dump(HostUsage, usage), "build_failures": 0, "changed_at": _stamp(target.now), "deleted": 0,
        "created_at": row.get("created_at") or target.now,
    }


def _json(text: str | None, nothing: Any) -> Any:
    try:
        found = orjson.loads(text or "")
    except ValueError:
        return nothing
    return found if isinstance(found, type(nothing)) else nothing


def _stamp(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)
