"""Records of decisions: the last few of each server."""

from novalike.db import decisions
from novalike.objects.decision import Candidate, Decision, Removal


def decision(**changes):
    values = {
        "request_id": "req-1", "epoch": 1, "role": "instance", "driver": "FilterScheduler", "flavor": "m1", "vcpus": 1, "memory_mb": 512,
        "disk_gb": 1, "considered": 2, "passed": 1, "removed": (Removal(by="RamFilter", reason="not enough memory", count=1, hosts=("h1",)),),
        "best": (Candidate(host="h2", node="n2", weight=1.5),), "host": "h2", "custom": {"CUSTOM_FPGA": 2},
    }
    return Decision(**{**values, **changes})


def test_they_are_read_as_they_were_kept_newest_first(database):
    database.write(decisions.add, "a", decision())
    database.write(decisions.add, "a", decision(request_id="req-2", host=None, summary="No valid host was found."))
    database.write(decisions.add, "b", decision(request_id="req-3"))
    newest, oldest = database.fetch(decisions.listed, "a")
    assert (newest.request_id, newest.host, newest.summary) == ("req-2", None, "No valid host was found.")
    assert oldest == decision(at=oldest.at)
    assert newest.at >= oldest.at > 1_000_000_000_000


def test_the_oldest_are_forgotten(database):
    for epoch in range(1, decisions.KEPT + 6):
        database.write(decisions.add, "a", decision(epoch=epoch))
        database.write(decisions.add, "b", decision(epoch=1, host=None, request_id=f"req-{epoch}"))
    assert [one.epoch for one in database.fetch(decisions.listed, "a")] == list(range(decisions.KEPT + 5, 5, -1))
    assert [one.request_id for one in database.fetch(decisions.listed, "b")] == [f"req-{n}" for n in range(decisions.KEPT + 5, 5, -1)]
