"""One database: connections, transactions, and retry of what the database refused for a moment.

SQLite: WAL, one writer connection, BEGIN IMMEDIATE, no busy timeout but a cooperative retry (a busy wait would hold the
eventlet hub while the lock's holder cannot run; measured in facts/dependencies.md section 3).
"""

from __future__ import annotations

import contextvars
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from pymysql import converters
from pymysql.constants import FIELD_TYPE
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from novalike.exception import Unavailable

LOG = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

#: MySQL: deadlock, lock wait timeout, record changed since last read (MariaDB snapshot isolation).
_MYSQL_RETRY = frozenset({1213, 1205, 1020})
#: MySQL: gone away, lost connection, cannot connect, server shutting down, too many connections.
_MYSQL_LOST = frozenset({2006, 2013, 2003, 2002, 2055, 1053, 1927, 1040})
#: MySQL: a bit of the status which comes with each answer.
_IN_TRANSACTION = 1
_POSTGRESQL_RETRY = frozenset({"40001", "40P01", "55P03"})

_inside: contextvars.ContextVar[bool] = contextvars.ContextVar("novalike_in_write", default=False)


class Database:
    """One database, by URL. Safe to share between threads.

    `patience` is how long (seconds) a caller waits for a database which refuses or loses connections, or keeps a lock,
    before `Unavailable` is raised.
    """

    def __init__(
        self, url: str, *, pool_size: int = 5, max_overflow: int = 50, recycle: int = 3600, patience: float = 10.0,
        echo: bool = False,
    ) -> None:
        self.url: URL = make_url(url)
        self.patience = patience
        options: dict[str, Any] = {
            "hide_parameters": True, "echo": echo, "poolclass": QueuePool, "pool_recycle": recycle, "pool_timeout": 30,
        }
        self.dialect = self.url.get_backend_name()
        if self.dialect == "sqlite":
            self._writer = _sqlite(self.url, options, size=1, begin="BEGIN IMMEDIATE")
            self._reader = _sqlite(self.url, options, size=pool_size, begin="BEGIN")
        else:
            options |= {"pool_size": pool_size, "max_overflow": max_overflow, "pool_use_lifo": True}
            self._writer = _server(self.url, options, isolation_level="READ COMMITTED")
            # At READ COMMITTED each statement sees its own moment, so reads need no transaction and no end of one.
            self._reader = _server(self.url, options, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)

    @property
    def engine(self) -> Engine:
        """The engine for schema work and tests; everything else uses read() and write()."""
        return self._writer

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session for reading: `with database.read() as session`. A lost connection is not retried here; use
        `fetch` where waiting is better than failing.

        Raises Unavailable when the database does not answer.
        """
        try:
            with Session(self._reader, expire_on_commit=False, autoflush=False) as session:
                yield session
        except exc.DBAPIError as error:
            if _is_lost(error) or _is_busy(error):
                raise Unavailable("The database does not answer.", details=str(error)) from error
            raise
        except exc.TimeoutError as error:
            raise Unavailable("All database connections are busy.", details=str(error)) from error

    def fetch(self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(session, ...)` which only reads, again for as long as `patience` when the connection is lost."""
        def attempt() -> T:
            with Session(self._reader, expire_on_commit=False, autoflush=False) as session:
                return function(session, *args, **kwargs)
        return self._patiently(attempt)

    def write(self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(session, ...)` in one transaction, commit, and answer what it answered.

        The whole function runs again after a deadlock, a lock timeout or a connection lost before COMMIT, so it must do
        nothing but database work, and on SQLite never wait for anything else. A connection lost during COMMIT raises
        Unavailable, since whether it took effect is unknown. Transactions do not nest, not even over two databases.
        """
        if _inside.get():
            raise RuntimeError("a write transaction inside a write transaction")
        committing = False

        def attempt() -> T:
            nonlocal committing
            committing = False
            token = _inside.set(True)
            try:
                with Session(self._writer, expire_on_commit=False) as session:
                    answer = function(session, *args, **kwargs)
                    session.flush()
                    committing = True
                    session.commit()
                    return answer
            except exc.DBAPIError as error:
                if committing and _is_lost(error):
                    raise Unavailable(
                        "The database went away while a change was being stored.", details=str(error),
                    ) from error
                raise
            finally:
                _inside.reset(token)
        return self._patiently(attempt)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        give_up = time.monotonic() + self.patience
        pause = 0.002
        while True:
            try:
                return attempt()
            except exc.TimeoutError as error:
                raise Unavailable("All database connections are busy.", details=str(error)) from error
            except exc.DBAPIError as error:
                lost = _is_lost(error)
                if not lost and not _is_busy(error):
                    raise
                if time.monotonic() >= give_up:
                    raise Unavailable("The database does not answer.", details=str(error)) from error
                if lost:
                    pause = max(pause, 0.1)
            time.sleep(pause * (0.5 + random.random()))  # noqa: S311  # jitter, not a secret
            pause = min(pause * 2, 0.5)

    def dispose(self) -> None:
        """Close all connections."""
        self._writer.dispose()
        self._reader.dispose()


def _sqlite(url: URL, options: dict[str, Any], *, size: int, begin: str) -> Engine:
    engine = sa.create_engine(
        url, **options, pool_size=size, max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": 0, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=0"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _server(url: URL, options: dict[str, Any], **own: Any) -> Engine:
    if url.get_backend_name() not in {"mysql", "mariadb"}:
        return sa.create_engine(url, **options, **own)
    arguments: dict[str, Any] = {"charset": "utf8mb4", "connect_timeout": 5}
    if url.get_driver_name() == "pymysql":
        arguments["conv"] = {**converters.conversions, **dict.fromkeys((FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP), _moment)}
    engine = sa.create_engine(url, **options, **own, connect_args=arguments, pool_reset_on_return=None)

    @event.listens_for(engine, "reset")
    def _reset(connection: Any, _record: Any, _state: Any) -> None:
        # PyMySQL sends every ROLLBACK, also right after a COMMIT. The server says with each answer whether it is needed.
        if connection.server_status & _IN_TRANSACTION:
            connection.rollback()

    return engine


def _moment(text: str) -> Any:
    """Read a time as PyMySQL does, which looks at each by a regular expression: a tenth of the CPU of long lists went there."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return converters.convert_datetime(text)


def _code(error: exc.DBAPIError) -> Any:
    original = error.orig
    state = getattr(original, "sqlstate", None)
    if state is not None:
        return state
    return original.args[0] if original is not None and original.args else None


def _is_lost(error: exc.DBAPIError) -> bool:
    if error.connection_invalidated or _code(error) in _MYSQL_LOST:
        return True
    name = type(error.orig).__module__
    return name.startswith("psycopg") and isinstance(error, exc.OperationalError) and getattr(error.orig, "sqlstate", None) is None


def _is_busy(error: exc.DBAPIError) -> bool:
    code = _code(error)
    if code in _MYSQL_RETRY or code in _POSTGRESQL_RETRY:
        return True
    return isinstance(error, exc.OperationalError) and "database is locked" in str(error.orig)
