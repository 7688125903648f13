"""Usage reports as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from novalike.api.openstack.views.times import iso
from novalike.objects.usage import ServerRun


def project(runs: Sequence[ServerRun], start: datetime, stop: datetime, now: datetime, *, detailed: bool) -> dict[str, Any]:
    """Answer the sums over one project's servers, and the servers themselves if `detailed`."""
    hours = [run.hours(start, stop) for run in runs]
    shown: dict[str, Any] = {
        "tenant_id": runs[0].project_id,
        "total_hours": sum(hours),
        "total_vcpus_usage": sum(run.vcpus * spent for run, spent in zip(runs, hours, strict=True)),
        "total_memory_mb_usage": sum(run.memory_mb * spent for run, spent in zip(runs, hours, strict=True)),
        "total_local_gb_usage": sum(run.local_gb * spent for run, spent in zip(runs, hours, strict=True)),
        "start": iso(start),
        "stop": iso(stop),
    }
    if detailed:
        shown["server_usages"] = [_server(run, spent, now) for run, spent in zip(runs, hours, strict=True)]
    return shown


def _server(run: ServerRun, hours: float, now: datetime) -> dict[str, Any]:
    return {
        "instance_id": run.uuid, "name": run.name, "hours": hours, "flavor": run.flavor_name, "tenant_id": run.project_id,
        "vcpus": run.vcpus, "memory_mb": run.memory_mb, "local_gb": run.local_gb,
        "started_at": iso(run.launched_at), "ended_at": iso(run.terminated_at),
        "state": "terminated" if run.terminated_at else run.vm_state,
        "uptime": int(((run.terminated_at or now) - run.launched_at).total_seconds()),
    }
