"""Finds filters, weighers and whole drivers by entry point, or as module:Class, so that operators can add their own."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NoReturn

from stevedore import NamedExtensionManager

from novalike.scheduler.filters.base import Filter
from novalike.scheduler.options import Options
from novalike.scheduler.weights.base import Weigher

FILTERS, WEIGHERS, DRIVERS = "novalike.scheduler.filters", "novalike.scheduler.weighers", "novalike.scheduler.drivers"
#: Nova's names for "all there are".
_ALL = {"all", "nova.scheduler.weights.all_weighers"}


def load_filters(names: Sequence[str], options: Options) -> tuple[Filter, ...]:
    """Build the named filters, in this order. Raises ValueError for a name nobody provides, listing those there are."""
    return tuple(plugin(options) for plugin in _load(FILTERS, names))


def load_weighers(names: Sequence[str], options: Options) -> tuple[Weigher, ...]:
    """Build the named weighers, or all. Raises ValueError as load_filters does."""
    if _ALL & set(names):
        names = known(WEIGHERS)
    return tuple(plugin(options) for plugin in _load(WEIGHERS, names))


def load_driver(name: str, options: Options) -> Any:
    """Build the named driver (scheduler/drivers/base.py). Raises ValueError as load_filters does, also for its own plugins."""
    return _load(DRIVERS, [name])[0](options)


def _load(group: str, names: Sequence[str]) -> list[Any]:
    # A full path such as nova.scheduler.weights.ram.RAMWeigher names the class at its end.
    short = {name: name.rpartition(".")[2] for name in names if ":" not in name}
    found = _manager(group, list(short.values()))
    for name, wanted in short.items():
        if wanted not in found:
            raise ValueError(f"There is no {group.rpartition('.')[2][:-1]} {name}; there are {', '.join(known(group))}")
    return [found[short[name]].plugin if name in short else _import(name) for name in names]


def _import(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name} cannot be loaded: {error}") from error


def known(group: str) -> list[str]:
    """Answer the names of all plugins of a group which the installed packages provide."""
    return sorted(set(_manager(group, ()).entry_points_names()))


def _manager(group: str, names: Sequence[str]) -> NamedExtensionManager[Any]:
    # stevedore keeps what the installed packages provide; importlib.metadata would read the files of all of them for each name.
    return NamedExtensionManager(group, names, on_load_failure_callback=_fail, on_missing_entrypoints_callback=None)


def _fail(_manager: object, _entry_point: object, error: BaseException) -> NoReturn:
    raise error
