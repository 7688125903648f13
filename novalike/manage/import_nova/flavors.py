"""Flavors, with their extra specs and who may use the private ones."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import imports
from novalike.db.models.flavors import FlavorAccess, FlavorRow
from novalike.manage.import_nova.plan import Left, Plan
from novalike.manage.import_nova.source import NovaDatabase, Row
from novalike.manage.import_nova.target import Target
from novalike.objects.flavor import Flavor


def take(nova: NovaDatabase, target: Target, plan: Plan) -> None:
    """Take over the flavors which are not here, known by the id users see."""
    account = plan.of("flavors")
    for batch in nova.rows("flavors"):
        here = target.shared.fetch(_sizes, [row["flavorid"] for row in batch])
        names = target.shared.fetch(_owners, [row["name"] for row in batch])
        fresh = []
        for row in batch:
            if row["flavorid"] in here:
                if here[row["flavorid"]] == (row["name"], row["vcpus"], row["memory_mb"], row["root_gb"] or 0):
                    account.here += 1
                else:
                    account.leave(row["flavorid"], Left("whose id another flavor has here"))
            elif row["name"] in names:
                account.leave(row["flavorid"], Left(f"whose name {row['name']} the flavor {names[row['name']]} has here"))
            else:
                fresh.append(row)
        account.new += len(fresh)
        ids = [row["id"] for row in fresh]
        specs, access = nova.of("flavor_extra_specs", "flavor_id", ids), nova.of("flavor_projects", "flavor_id", ids)
        target.write(target.shared, _store, [_values(row, specs.get(row["id"], [])) for row in fresh], {
            row["flavorid"]: [one["project_id"] for one in access.get(row["id"], [])] for row in fresh
        }, target)


def _sizes(session: Session, ids: list[str]) -> dict[str, tuple[str, int, int, int]]:
    query = sa.select(FlavorRow.flavorid, FlavorRow.name, FlavorRow.vcpus, FlavorRow.memory_mb, FlavorRow.root_gb).where(FlavorRow.flavorid.in_(ids))
    return {flavorid: (name, vcpus, memory, root) for flavorid, name, vcpus, memory, root in session.execute(query)}


def _owners(session: Session, names: list[str]) -> dict[str, str]:
    query = sa.select(FlavorRow.name, FlavorRow.flavorid).where(FlavorRow.name.in_(names))
    return {name: flavorid for name, flavorid in session.execute(query)}  # noqa: C416  # rows are no pairs to mypy


def _values(row: Row, specs: list[Row]) -> dict[str, Any]:
    return {
        "id": row["id"], "flavorid": row["flavorid"], "name": row["name"], "vcpus": row["vcpus"], "memory_mb": row["memory_mb"],
        "root_gb": row["root_gb"] or 0, "ephemeral_gb": row["ephemeral_gb"] or 0, "swap_mb": row["swap"] or 0,
        "rxtx_factor": row.get("rxtx_factor") or 1.0, "is_public": int(row["is_public"] or 0), "disabled": int(row["disabled"] or 0),
        "description": row.get("description"), "extra_specs": {one["key"]: one["value"] for one in specs},
        "created_at": row["created_at"], "updated_at": row.get("updated_at"),
    }


def _store(session: Session, rows: list[dict[str, Any]], access: dict[str, list[str]], target: Target) -> None:
    imports.add(session, FlavorRow, [{**row, "created_at": row["created_at"] or target.now} for row in rows])
    ids = imports.numbers(session, FlavorRow, "flavorid", access)
    session.add_all(FlavorAccess(flavor_id=ids[name], project_id=project) for name, projects in access.items() for project in projects)


def embedded(document: dict[str, Any]) -> Flavor:
    """Answer the flavor which a server carries, from the plain form of Nova's object."""
    return Flavor(
        id=document.get("id"), flavorid=document["flavorid"], name=document["name"], vcpus=document["vcpus"], memory_mb=document["memory_mb"],
        root_gb=document.get("root_gb") or 0, ephemeral_gb=document.get("ephemeral_gb") or 0, swap_mb=document.get("swap") or 0,
        rxtx_factor=document.get("rxtx_factor") or 1.0, is_public=bool(document.get("is_public", True)),
        disabled=bool(document.get("disabled", False)), description=document.get("description"),
        extra_specs={name: str(value) for name, value in (document.get("extra_specs") or {}).items()},
    )
