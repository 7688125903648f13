"""What a command gets, and how it is listed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from oslo_config import cfg

from novalike.db.cells import Cells
from novalike.manage.output import Output


@dataclass(frozen=True, slots=True)
class Session:
    """The world of one command: configuration, databases, arguments, and where to write."""

    conf: cfg.ConfigOpts
    cells: Cells
    arguments: argparse.Namespace
    output: Output


def _none(_parser: argparse.ArgumentParser) -> None:
    """Most commands have no arguments."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command `novalike-manage GROUP NAME`, or without a name a whole group: `novalike-manage GROUP`. `run` answers the exit status, `failed` is that of a database which fails;
    `options` adds its arguments."""

    group: str
    name: str
    help: str
    run: Callable[[Session], int]
    options: Callable[[argparse.ArgumentParser], None] = _none
    failed: int = 3
