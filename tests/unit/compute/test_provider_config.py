"""Custom resources and traits declared in files, and what hosts measure of themselves."""

from __future__ import annotations

import pytest

from novalike.compute import provider_config
from novalike.compute.monitors import CpuMonitor, Monitors
from novalike.exception import Invalid
from novalike.objects.host import CustomResource

UUID, OTHER = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
FILE = """
meta: {{schema_version: '1.0'}}
providers:
  - identification: {{{identification}}}
    inventories:
      additional:
        - CUSTOM_FPGA: {{total: {total}, reserved: 1, max_unit: 2}}
    traits:
      additional: [CUSTOM_GOLD]
"""


def read(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return provider_config.read(str(tmp_path), uuid=UUID, node="node1")


def declared(identification, total=4):
    return FILE.format(identification=identification, total=total)


@pytest.mark.parametrize(("identification", "ours"), [
    ("uuid: $COMPUTE_NODE", True), (f"uuid: {UUID}", True), ("name: node1", True), (f"uuid: {OTHER}", False), ("name: node2", False),
])
def test_who_is_meant(tmp_path, identification, ours):
    found = read(tmp_path, a=declared(identification))
    assert found.resources == ({"CUSTOM_FPGA": CustomResource(total=4, reserved=1, max_unit=2)} if ours else {})
    assert found.traits == (("CUSTOM_GOLD",) if ours else ())


def test_what_names_the_host_wins_over_what_goes_for_all(tmp_path):
    found = read(tmp_path, a=declared("uuid: $COMPUTE_NODE"), b=declared("name: node1", total=9))
    assert found.resources["CUSTOM_FPGA"].total == 9


def test_nothing_declared(tmp_path):
    assert read(tmp_path) == provider_config.read(str(tmp_path / "nowhere"), uuid=UUID, node="n") == provider_config.Declared()


@pytest.mark.parametrize(("text", "complaint"), [
    ("[", "no provider configuration"),
    ("meta: {schema_version: '2.0'}\nproviders: []", "schema_version"),
    (declared("uuid: nonsense"), "neither a uuid"),
    (declared("name: node1").replace("CUSTOM_FPGA", "VCPU"), "no provider configuration"),
    (declared("name: node1").replace("CUSTOM_GOLD", "HW_CPU"), "no provider configuration"),
    (declared("name: node1", total=0), "no provider configuration"),
    (declared("name: node1").replace("reserved: 1", "reserved: 5"), "reserves more CUSTOM_FPGA"),
])
def test_wrong_files_are_named(tmp_path, text, complaint):
    with pytest.raises(Invalid, match=complaint) as caught:
        read(tmp_path, wrong=text)
    assert "wrong.yaml" in str(caught.value)


def test_one_host_declared_twice(tmp_path):
    with pytest.raises(Invalid, match="declare the same provider node1"):
        read(tmp_path, a=declared("name: node1"), b=declared("name: node1"))


def test_cpu_metrics():
    samples = iter(["cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 ...", "cpu  150 10 70 880 90 5 5 0 0 0\n"])
    monitor = CpuMonitor(stat=lambda: next(samples), frequency=lambda: "2400000")
    first = monitor.measure()
    assert "cpu.percent" not in first
    assert first["cpu.frequency"] == 2400
    second = monitor.measure()
    # 210 ticks: 60 user and nice, 30 system and interrupts, 80 idle, 40 waiting
    assert (second["cpu.user.percent"], second["cpu.kernel.percent"], second["cpu.percent"]) == (0.2857, 0.1429, 0.4286)


def test_monitors_are_chosen_by_name():
    assert Monitors([]).measure() == {}
    assert "cpu.user.time" in Monitors(["cpu.virt_driver"]).measure()
    with pytest.raises(Invalid, match=r"no monitor gpu; there are cpu\.virt_driver"):
        Monitors(["gpu"])
