"""Where an import goes, and what was asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.orm import Session

from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.exception import Invalid
from novalike.manage.import_nova.plan import Left

P = ParamSpec("P")
T = TypeVar("T")

#: Ids of projects and users are no longer here; Keystone's have 32 characters.
_ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Target:
    """novalike's databases. `dry_run`: nothing is written. `reset_tasks`: servers on which Nova was working come along, idle."""

    cells: Cells
    cell: str
    now: datetime
    dry_run: bool = False
    reset_tasks: bool = False
    name_template: str = "instance-%08x"
    default_zone: str = "nova"

    @property
    def shared(self) -> Database:
        """GLOBAL."""
        return self.cells.shared

    @property
    def database(self) -> Database:
        """The cell's."""
        return self.cells.cell(self.cell)

    def write(self, database: Database, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Run a transaction, unless nothing is to be written."""
        return None if self.dry_run else database.write(function, *args, **kwargs)


def named(template: str, row: dict[str, Any]) -> str:
    """Answer what Nova calls a server's guest by `[DEFAULT] instance_name_template`. Raises Invalid for a template that fails."""
    try:
        return str(template % row["id"])
    except TypeError:
        pass
    except ValueError as error:
        raise Invalid(f"The template of guests' names is wrong: {error}.") from error
    try:
        return template % {name: value for name, value in row.items() if name != "name"}
    except KeyError:
        return str(row["uuid"])
    except (TypeError, ValueError) as error:
        raise Invalid(f"The template of guests' names is wrong: {error}.") from error


def owner(value: str | None, what: str) -> str:
    """Answer the id of a project or user. Raises Left when it does not fit here."""
    if not value:
        raise Left(f"without a {what}")
    if len(value) > _ID_LENGTH:
        raise Left(f"whose {what} id has more than {_ID_LENGTH} characters")
    return value
