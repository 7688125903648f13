"""Filters and weighers are found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from novalike.scheduler import plugins
from novalike.scheduler.options import Options


def named(found):
    return [type(one).__name__ for one in found]


def test_filters_come_in_the_order_named_also_by_nova_s_full_names():
    found = plugins.load_filters(["RamFilter", "nova.scheduler.filters.core_filter.CoreFilter", "ComputeFilter"], Options())
    assert named(found) == ["RamFilter", "CoreFilter", "ComputeFilter"]


def test_all_weighers():
    assert {"RAMWeigher", "CPUWeigher", "DiskWeigher", "BuildFailureWeigher"} <= set(named(plugins.load_weighers(["all"], Options())))


def test_no_filters_are_none():
    assert plugins.load_filters([], Options()) == ()


def test_an_unknown_name_is_told_with_those_there_are():
    with pytest.raises(ValueError, match=r"no filter NoFilter; there are AggregateCoreFilter, .*RamFilter"):
        plugins.load_filters(["RamFilter", "NoFilter"], Options())


@pytest.mark.parametrize("group", [plugins.FILTERS, plugins.WEIGHERS])
def test_each_plugin_has_its_cases(group):
    """The tables of cases in this folder are the plugins' specification: who adds one adds them, by its name."""
    cases = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path.name not in ("test_plugins.py", "test_columns.py"))
    assert [name for name in plugins.known(group) if f'"{name}"' not in cases and f"({name}," not in cases and f"{name}(" not in cases] == []
