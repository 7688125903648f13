"""Declarative bases of the two metadatas, column types and constraint names.

GLOBAL holds what every cell shares; CELL holds what lives beside its hypervisors. No foreign key, join or transaction
crosses them, even while one database holds both.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import orjson
from sqlalchemy import BigInteger, DateTime, Integer, MetaData, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator

_NAMES = {
    "ix": "ix_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class GlobalBase(DeclarativeBase):
    """Tables which every cell shares."""

    metadata = MetaData(naming_convention=_NAMES)
    __table_args__: Any = _MYSQL


class CellBase(DeclarativeBase):
    """Tables of one cell: instances, hosts and the work on them."""

    metadata = MetaData(naming_convention=_NAMES)
    __table_args__: Any = _MYSQL


def table_args(*constraints: Any, **options: Any) -> tuple[Any, ...]:
    """Answer `__table_args__` with these indexes and constraints, our MySQL settings and the table's own ones."""
    return (*constraints, {**_MYSQL, **options})


class Document(TypeDecorator[Any]):
    """A JSON value in a text column. Assign a new value to change it; changes inside are not tracked."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.LONGTEXT())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


Moment = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_LongId = BigInteger().with_variant(Integer(), "sqlite")

#: Column types. `Stamp` is epoch milliseconds of the database's clock, for leases and deadlines; times which users see are
#: naive UTC datetimes.
LongId = Annotated[int, mapped_column(_LongId, primary_key=True, autoincrement=True)]
Uuid = Annotated[str, mapped_column(String(36))]
Name = Annotated[str, mapped_column(String(255))]
OptName = Annotated[str | None, mapped_column(String(255))]
Word = Annotated[str, mapped_column(String(64))]
OptWord = Annotated[str | None, mapped_column(String(64))]
OptUuid = Annotated[str | None, mapped_column(String(36))]
Stamp = Annotated[int, mapped_column(BigInteger())]
OptStamp = Annotated[int | None, mapped_column(BigInteger())]
Time = Annotated[datetime, mapped_column(Moment)]
OptTime = Annotated[datetime | None, mapped_column(Moment)]
Json = Annotated[Any, mapped_column(Document())]
OptText = Annotated[str | None, mapped_column(Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb"))]


class now_ms(FunctionElement[int]):  # noqa: N801  # reads as a function in queries
    """SQL expression: epoch milliseconds by the database's own clock, the same for all who share the database."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _now_sqlite(element: now_ms, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@compiles(now_ms, "mysql")
@compiles(now_ms, "mariadb")
def _now_mysql(element: now_ms, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS SIGNED)"


@compiles(now_ms, "postgresql")
def _now_postgresql(element: now_ms, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
