"""`novalike-manage host`: the hypervisors."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from novalike.db import aggregates, debts, hosts, running
from novalike.hardware.capacity import Ratios, capacity, overrides
from novalike.manage.command import Command, Session

COLUMNS = ("cell", "host", "node", "zone", "state", "status", "servers", "vcpus", "memory_mb", "disk_gb", "failed_builds")
DEBT_COLUMNS = ("cell", "host", "instance", "name", "epoch", "ports", "since", "next_try")


def show(session: Session) -> int:
    """List hypervisors with what is promised of what they can promise."""
    conf = session.conf
    ratios = Ratios(conf.initial_cpu_allocation_ratio, conf.initial_ram_allocation_ratio, conf.initial_disk_allocation_ratio)
    known = session.cells.shared.fetch(aggregates.list_aggregates)
    zones, metadata = aggregates.zones_of_hosts(known), aggregates.metadata_of_hosts(known)
    rows: list[dict[str, Any]] = []
    for name in session.cells.names():
        nodes = session.cells.cell(name).fetch(
            hosts.list_compute_nodes, down_after=conf.service_down_time, host=session.arguments.host,
        )
        for node in nodes:
            limit, service = capacity(node.inventory, ratios, overrides(metadata.get(node.host, {}))).limit, node.service
            rows.append({
                "cell": name, "host": node.host, "node": node.node,
                "zone": zones.get(node.host, conf.default_availability_zone),
                "state": "up" if service is not None and service.up else "down",
                "status": "disabled" if service is not None and service.disabled else "enabled",
                "servers": node.instances, "vcpus": f"{node.vcpus_used}/{limit.vcpus}",
                "memory_mb": f"{node.memory_mb_used}/{limit.memory_mb}", "disk_gb": f"{node.local_gb_used}/{limit.disk_gb}",
                "failed_builds": node.failed_builds,
            })
    session.output.rows(COLUMNS, rows, empty="There are no hypervisors.")
    return 0


def list_debts(session: Session) -> int:
    """List the cleanup which hosts owe: they could not be reached when something on them had to be removed."""
    rows: list[dict[str, Any]] = []
    for name in session.cells.names():
        rows += [
            {
                "cell": name, "host": one.debt.host, "instance": one.debt.instance_uuid, "name": one.debt.instance_name,
                "epoch": one.debt.epoch, "ports": len(one.debt.vifs), "since": _time(one.since),
                "next_try": _time(running.stamp(one.wake_at)),
            }
            for one in session.cells.cell(name).fetch(debts.listed, host=session.arguments.host)
        ]
    session.output.rows(DEBT_COLUMNS, rows, empty="No host owes anything.")
    return 0


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", nargs="?", help="only this host")


COMMANDS = (
    Command("host", "list", "List hypervisors, their capacity and what is promised of it.", show, _options),
    Command("host", "debts", "List the cleanup which hosts owe and are asked for.", list_debts, _options),
)
