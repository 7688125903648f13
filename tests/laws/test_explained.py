"""A refused server explains itself: to its user by counts and constraints, to operators by hosts; in its fault and its action log."""

from __future__ import annotations

import pytest

from novalike.db import decisions, flavors
from tests import factories
from tests.laws.api_cloud import IMAGE, ApiCloud

SUMMARY = (
    "No valid host was found. 2 hosts considered: 2 removed by CoreFilter (not enough vCPUs). Nearest: 2 vCPUs less would have fitted."
)
HOSTS = "2 considered, 0 passed the filters.\nCoreFilter (not enough vCPUs) removed host0, host1."


@pytest.fixture
def refused(tmp_path):
    """A cloud with a server for which no host has enough vCPUs."""
    api = ApiCloud(tmp_path, initial_cpu_allocation_ratio=1.0)
    api.cloud.database.write(
        flavors.create, factories.flavor(flavorid="big", name="big", vcpus=6, memory_mb=64, root_gb=1), now=factories.NOW,
    )
    answer = api.member.at("2.96").post("/servers", {"server": {"name": "s", "flavorRef": "big", "imageRef": IMAGE, "networks": "none"}})
    assert answer.status == 202, answer.json
    api.cloud.settle()
    yield api, answer.json["server"]["id"]
    api.cloud.close()


def test_the_fault(refused):
    api, server = refused
    fault = api.member.get(f"/servers/{server}").json["server"]["fault"]
    assert (fault["code"], fault["message"], fault.get("details")) == (500, SUMMARY, None)
    fault = api.admin.get(f"/servers/{server}").json["server"]["fault"]
    assert (fault["message"], fault["details"]) == (SUMMARY, HOSTS)


def test_the_action_log(refused):
    api, server = refused

    def event(caller):
        path = f"/servers/{server}/os-instance-actions"
        request, = (one["request_id"] for one in caller.at("2.96").get(path).json["instanceActions"])
        found, = caller.at("2.96").get(f"{path}/{request}").json["instanceAction"]["events"]
        return found

    assert (event(api.admin)["details"], event(api.admin)["traceback"]) == (SUMMARY, HOSTS)
    shown = event(api.member)
    assert "host0" not in str(shown)
    assert shown["result"] == "Error"


def test_what_is_kept_for_operators(refused):
    api, server = refused
    kept, = api.cloud.database.fetch(decisions.listed, server)
    assert (kept.summary, kept.host, kept.flavor, kept.vcpus) == (SUMMARY, None, "big", 6)
