"""/os-instance_usage_audit_log."""

from datetime import datetime
from urllib.parse import quote

import pytest

from novalike.db import usage_audits
from novalike.notifications import periods
from novalike.objects.usage_audit import DONE, UsageAudit
from tests.api.test_hosts import add_host

KEYS = {
    "hosts_not_run", "log", "num_hosts", "num_hosts_done", "num_hosts_not_run", "num_hosts_running", "overall_status",
    "period_beginning", "period_ending", "total_errors", "total_instances",
}


def test_a_period(admin, services, sqlite):
    for host in ("host1", "host2", "host3"):
        add_host(services, host)
    begin, end = (datetime.fromisoformat(day) for day in ("2026-01-01", "2026-02-01"))
    for host in ("host1", "host2"):
        sqlite.write(usage_audits.take, host, begin, end)
    sqlite.write(usage_audits.finish, UsageAudit(host="host1", state=DONE, instances=5, errors=1, message="ran"), begin, end)
    for text in ("2026-02-03 04:05:06", "2026-02-03 04:05:06.789"):
        shown = admin.get(f"/os-instance_usage_audit_log/{quote(text)}").json["instance_usage_audit_log"]
        assert shown == {
            "period_beginning": "2026-01-01 00:00:00", "period_ending": "2026-02-01 00:00:00", "num_hosts": 3, "num_hosts_done": 1,
            "num_hosts_running": 1, "num_hosts_not_run": 1, "hosts_not_run": ["host3"], "total_instances": 5, "total_errors": 1,
            "overall_status": "1 of 3 hosts done. 1 errors.", "log": {
                "host1": {"state": "DONE", "instances": 5, "errors": 1, "message": "ran"},
                "host2": {"state": "RUNNING", "instances": 0, "errors": 0, "message": ""},
            },
        }


def test_the_last_period_without_an_audit(admin, services):
    add_host(services, "host1")
    shown = admin.get("/os-instance_usage_audit_log").json["instance_usage_audit_logs"]
    assert set(shown) == KEYS
    assert (shown["overall_status"], shown["hosts_not_run"], shown["log"]) == ("0 of 1 hosts done. 0 errors.", ["host1"], {})


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01 00:00:00", "0001-01-01 00:00:00", "2026-01-01"])
def test_malformed_moments(admin, text):
    assert admin.get(f"/os-instance_usage_audit_log/{quote(text)}").status == 400


def test_for_administrators(member, admin):
    assert member.get("/os-instance_usage_audit_log").status == 403
    assert admin.at("2.102").get("/os-instance_usage_audit_log?a=b").status == 400


@pytest.mark.parametrize(("period", "begin", "end"), [
    ("hour", "2026-03-04 04:00", "2026-03-04 05:00"), ("day", "2026-03-03", "2026-03-04"), ("day@6", "2026-03-02 06:00", "2026-03-03 06:00"),
    ("month", "2026-02-01", "2026-03-01"), ("month@15", "2026-01-15", "2026-02-15"), ("year", "2025-01-01", "2026-01-01"),
])
def test_complete_periods(period, begin, end):
    now = datetime.fromisoformat("2026-03-04 05:30")
    assert periods.completed(period, now) == (datetime.fromisoformat(begin), datetime.fromisoformat(end))
