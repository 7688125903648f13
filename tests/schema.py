"""Tables for tests: straight from the models, which is much faster than running the migrations.

That migrations and models agree is a test of its own (tests/unit/db).
"""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import Table

import novalike.db.models
from novalike.db.base import CellBase, GlobalBase
from novalike.db.engine import Database

for _module in pkgutil.iter_modules(novalike.db.models.__path__):
    importlib.import_module(f"novalike.db.models.{_module.name}")


def create(database: Database) -> None:
    """Create every table of both metadatas."""
    GlobalBase.metadata.create_all(database.engine)
    CellBase.metadata.create_all(database.engine)


def tables() -> list[Table]:
    """Answer all tables of both metadatas, those that point at others first."""
    return [table for base in (GlobalBase, CellBase) for table in reversed(base.metadata.sorted_tables)]
