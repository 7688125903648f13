"""Configuration options, one file per section.

Every module here names its section in `GROUP` (None: DEFAULT) and lists `OPTIONS`. A daemon loads its own ConfigOpts and
hands sections to whatever needs them; nothing reads a global CONF.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any

from oslo_config import cfg


def sections() -> Iterator[tuple[str | None, list[cfg.Opt]]]:
    """Answer every section's name and options, sorted by file name."""
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        section = importlib.import_module(f"{__name__}.{module}")
        yield section.GROUP, section.OPTIONS


def register(conf: cfg.ConfigOpts) -> None:
    """Register all of our options on a ConfigOpts."""
    for group, options in sections():
        conf.register_opts(options, group=group)


def check(conf: cfg.ConfigOpts) -> None:
    """Read every option of ours once. oslo.config parses a value only where it is used: a mistake in a file would come out
    hours later, in the middle of some work. Raises cfg.Error, naming option and file, for a value which is none."""
    for group, options in sections():
        values = conf if group is None else conf[group]
        for option in options:
            try:
                values[option.dest]
            except ValueError as error:          # oslo.config's own for files and environment is no cfg.Error
                raise cfg.Error(str(error)) from error


def load(arguments: Iterable[str] = (), *, files: list[str] | None = None, **overrides: Any) -> cfg.ConfigOpts:
    """Read configuration files and command line arguments into a ConfigOpts of its own.

    `overrides` are section__option=value (or option=value for DEFAULT), for tests and for shapes which decide themselves.
    Raises cfg.Error for unknown files and malformed values.
    """
    conf = cfg.ConfigOpts()
    register(conf)
    conf(list(arguments), project="novalike", default_config_files=files)
    for name, value in overrides.items():
        group, double, option = name.partition("__")
        conf.set_override(option if double else name, value, group=group if double else None)
    check(conf)
    return conf


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """Answer all options, for oslo-config-generator."""
    merged: dict[str | None, list[cfg.Opt]] = {}
    for group, options in sections():
        merged.setdefault(group, []).extend(options)
    return list(merged.items())
