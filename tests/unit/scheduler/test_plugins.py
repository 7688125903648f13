"""Filters and weighers are found by name."""

from __future__ import annotations

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
