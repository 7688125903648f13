"""/os-instance_usage_audit_log: whether usage was told of, for all hosts, at the end of a period."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.operations.hosts import Hosts
from novalike.api.services import ApiServices
from novalike.db import usage_audits
from novalike.db.hosts import COMPUTE_BINARY
from novalike.exception import Invalid
from novalike.notifications import periods
from novalike.objects.usage_audit import DONE, RUNNING

_RULE, _PATH = "os_compute_api:os-instance-usage-audit-log", "/os-instance_usage_audit_log"


class _AuditLog:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._hosts = Hosts(services)

    def index(self, request: Request) -> dict[str, Any]:
        return {"instance_usage_audit_logs": self._log(self._services.clock.now())}

    def show(self, request: Request) -> dict[str, Any]:
        return {"instance_usage_audit_log": self._log(_moment(request.path_args["id"]))}

    def _log(self, before: datetime) -> dict[str, Any]:
        try:
            begin, end = periods.completed(self._services.conf.instance_usage_audit_period, before)
        except OverflowError as error:           # the year 1 has no year before it
            raise Invalid(f"Invalid timestamp for date {before}") from error
        found = [audit for cell in self._services.cells for audit in cell.fetch(usage_audits.listed, begin, end)]
        hosts = {service.host for service in self._hosts.list_services(binary=COMPUTE_BINARY)}
        done = [audit.host for audit in found if audit.state == DONE]
        missing = sorted(hosts - {audit.host for audit in found})
        errors = sum(audit.errors for audit in found)
        amount = "ALL" if len(done) == len(hosts) else f"{len(done)} of {len(hosts)}"
        return {
            "period_beginning": str(begin), "period_ending": str(end), "num_hosts": len(hosts), "num_hosts_done": len(done),
            "num_hosts_running": sum(audit.state == RUNNING for audit in found), "num_hosts_not_run": len(missing),
            "hosts_not_run": missing, "total_instances": sum(audit.instances for audit in found), "total_errors": errors,
            "overall_status": f"{amount} hosts done. {errors} errors.", "log": {
                audit.host: {
                    "state": audit.state, "instances": audit.instances, "errors": audit.errors, "message": audit.message,
                } for audit in found
            },
        }


def _moment(text: str) -> datetime:
    """Answer a time given as 2026-01-31 12:00:00, with or without a fraction. Raises Invalid."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f" if "." in text else "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  # naive UTC
    except ValueError as error:
        raise Invalid(f"Invalid timestamp for date {text[:255]}") from error


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of the audit log."""
    of = _AuditLog(services)
    return (
        Route(method="GET", path=_PATH, handler=of.index, rule=f"{_RULE}:list", query=NOTHING),
        Route(method="GET", path=f"{_PATH}/{{id}}", handler=of.show, rule=f"{_RULE}:show", query=NOTHING),
    )
