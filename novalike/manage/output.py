"""How commands answer: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table


class Output:
    """Where a command writes its answer. Errors and remarks go to `errors`, so that JSON stays clean."""

    def __init__(self, *, as_json: bool = False, stream: TextIO | None = None, errors: TextIO | None = None) -> None:
        self._json = as_json
        self._stream = stream or sys.stdout
        self._errors = errors or sys.stderr

    def rows(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
        """Show rows; `columns` names their keys in order, `empty` is said when there are none."""
        if self._json:
            self._write_json([{name: row[name] for name in columns} for row in rows])
            return
        if not rows:
            self.remark(empty)
            return
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in columns:
            table.add_column(name.replace("_", " ").upper(), overflow="fold")
        for row in rows:
            table.add_row(*(_cell(row[name]) for name in columns))
        # A pipe has no width: let lines be as long as they are there.
        console = Console(file=self._stream, markup=False, highlight=False, width=None if self._stream.isatty() else 240)
        console.print(table)

    def values(self, values: Mapping[str, Any]) -> None:
        """Show named values."""
        if self._json:
            self._write_json(dict(values))
            return
        for name, value in values.items():
            print(f"{name.replace('_', ' ')}: {_cell(value)}", file=self._stream)

    def document(self, value: Any) -> None:
        """Show a value as JSON, for answers which have several parts."""
        self._write_json(value)

    def remark(self, text: str) -> None:
        """Say something to a person who may be watching."""
        print(text, file=self._errors)

    def _write_json(self, value: Any) -> None:
        json.dump(value, self._stream, indent=2, default=str)
        self._stream.write("\n")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
