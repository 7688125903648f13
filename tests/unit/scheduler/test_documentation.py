"""What docs/scheduler.md promises: its example works as it stands there, and nothing is left out of its tables."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from novalike.conf import filter_scheduler, metrics, scheduler
from novalike.hardware.capacity import Amounts
from novalike.scheduler import plugins
from novalike.scheduler.options import Options
from novalike.scheduler.select import select, tally
from novalike.scheduler.select_columns import select_columns
from novalike.scheduler.snapshot import Snapshot
from tests import factories_hosts as make

TEXT = (Path(__file__).parents[3] / "docs" / "scheduler.md").read_text()


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The page's files on the Python path."""
    for name, code in re.findall(r"```python\n# (\w+)\.py\n(.*?)```", TEXT, re.DOTALL):
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("rack_rules", "rack_rules_columns"):
        sys.modules.pop(name, None)


def test_an_operator_s_own_filter_and_weigher(example):
    options = Options(num_instances_weight_multiplier=0.5)
    settings = dict(re.findall(r"^(enabled_filters|weight_classes) = (.*)$", TEXT, re.MULTILINE))
    filters = plugins.load_filters(settings["enabled_filters"].split(","), options)
    weighers = plugins.load_weighers(settings["weight_classes"].split(","), options)
    racks = {"rack": frozenset({"r1"})}
    hosts = Snapshot([
        make.host_state("a", node_id=1, metadata=racks, instances=3), make.host_state("b", node_id=2, metadata=racks, instances=1),
        make.host_state("c", node_id=3), make.host_state("full", node_id=4, metadata=racks, used=(8, 0, 0)),
    ])
    decision = select(make.spec(hints={"rack": "r1"}), hosts, filters, weighers, "", options)
    assert [one.host.host for one in decision.ranked] == ["b", "a"]
    assert [(one.by, one.reason) for one in tally(decision.removed)] == [("RackFilter", "not in rack r1"), ("CoreFilter", "not enough vCPUs")]
    assert filters[-1].remedy(make.spec(), hosts[0]) == "without the hint rack"


def test_the_example_s_column_form_says_the_same(example):
    options = Options()
    (slow,) = plugins.load_filters(["rack_rules:RackFilter"], options)
    (quick,) = plugins.load_filters(["rack_rules_columns:FastRackFilter"], options)
    hosts = Snapshot(
        make.host_state(f"h{number}", node_id=number, metadata={"rack": frozenset({f"r{number % 3}"})} if number % 4 else {}, used=(number % 8, 0, 0))
        for number in range(60)
    )
    assert hosts[9].used == Amounts(1)
    spec = make.spec(hints={"rack": "r2"})
    assert quick.reject_columns(spec, hosts.columns), "the column form was not reached"
    rejected = [one.host.host for one in select_columns(spec, hosts, [quick], (), "", options).removed]
    assert rejected == [host.host for host in hosts if slow.reject(spec, host)]


def test_what_cannot_be_loaded_is_named():
    with pytest.raises(ValueError, match="no_such_module:Filter cannot be loaded: No module named"):
        plugins.load_filters(["no_such_module:Filter"], Options())
    with pytest.raises(ValueError, match="math:Filter cannot be loaded"):
        plugins.load_filters(["math:Filter"], Options())


@pytest.mark.parametrize("group", [plugins.FILTERS, plugins.WEIGHERS, plugins.DRIVERS])
def test_no_plugin_is_left_out(group):
    assert [name for name in plugins.known(group) if name not in TEXT] == []


def test_no_option_is_left_out():
    options = [one.name for section in (filter_scheduler, metrics, scheduler) for one in section.OPTIONS]
    assert [name for name in options if name not in TEXT] == []
