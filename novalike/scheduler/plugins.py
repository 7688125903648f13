"""Finds filters and weighers by entry point, so that operators can add their own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

from novalike.scheduler.filters.base import Filter
from novalike.scheduler.options import Options
from novalike.scheduler.weights.base import Weigher

FILTERS, WEIGHERS = "novalike.scheduler.filters", "novalike.scheduler.weighers"
#: Nova's names for "all there are".
_ALL = {"all", "nova.scheduler.weights.all_weighers"}


def load_filters(names: Sequence[str], options: Options) -> tuple[Filter, ...]:
    """Build the named filters, in this order. Raises ValueError for a name nobody provides, listing those there are."""
    return tuple(_load(FILTERS, name)(options) for name in names)


def load_weighers(names: Sequence[str], options: Options) -> tuple[Weigher, ...]:
    """Build the named weighers, or all. Raises ValueError as load_filters does."""
    if _ALL & set(names):
        names = sorted(entry_points(group=WEIGHERS).names)
    return tuple(_load(WEIGHERS, name)(options) for name in names)


def _load(group: str, name: str) -> Any:
    # A full path such as nova.scheduler.weights.ram.RAMWeigher names the class at its end.
    short = name.rpartition(".")[2]
    found = entry_points(group=group, name=short)
    if not found:
        known = ", ".join(sorted(entry_points(group=group).names))
        raise ValueError(f"There is no {group.rpartition('.')[2][:-1]} {name}; there are {known}")
    return next(iter(found)).load()
