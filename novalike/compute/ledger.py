"""What this host was ordered to do and how it went, in a small SQLite file of its own, so that a restart forgets nothing.

It answers three questions (DESIGN section 4.3): is this order older than what I know (fence); did I do this one already
(then its outcome is answered again); what was I doing when I died (recovery).

WAL with synchronous=NORMAL: a killed daemon loses nothing; a power cut may lose the last moments, in which the guests are
lost as well. One connection behind a lock; a transaction takes some 30 microseconds and never waits inside. The file is
held exclusively: a second daemon over the same state directory is refused.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

import orjson

from novalike.clock import Clock
from novalike.exception import Conflict
from novalike.objects.tasks import Fence, Outcome
from novalike.rpc import serializer

LOG = logging.getLogger(__name__)

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS instances (
        uuid TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        tombstone INTEGER,          -- builds and actions up to this epoch are refused: the server was removed from here
        seen_at REAL NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS orders (
        operation_id TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        uuid TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        kind TEXT NOT NULL,         -- build, destroy, or an action's name
        state TEXT NOT NULL,        -- running, interrupted (by the daemon's death) or done
        interruptions INTEGER NOT NULL DEFAULT 0,
        document TEXT NOT NULL,     -- what recovery needs, free of secrets
        outcome TEXT,
        sent INTEGER NOT NULL DEFAULT 0,
        changed_at REAL NOT NULL,
        PRIMARY KEY (operation_id, sequence)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS orders_unfinished ON orders (uuid) WHERE state <> 'done'",
    "CREATE INDEX IF NOT EXISTS orders_unsent ON orders (changed_at) WHERE state = 'done' AND sent = 0",
)


class Verdict(Enum):
    """What is to be done with an order that arrived."""

    RUN = "run"
    IGNORE = "ignore"        # it runs already
    ANSWER = "answer"        # it was done; report the outcome again
    STALE = "stale"          # something newer is known


@dataclass(frozen=True, slots=True)
class Admission:
    """The verdict; `outcome` with ANSWER; with RUN how often the daemon died while it did this order before."""

    verdict: Verdict
    outcome: Outcome | None = None
    interruptions: int = 0


@dataclass(frozen=True, slots=True)
class Interrupted:
    """An order which a daemon before this one began and never ended. `document` is what was stored with it."""

    fence: Fence
    kind: str
    document: dict[str, object]
    interruptions: int


class Ledger:
    """The file at `path`, made when absent. Raises Conflict when another daemon holds it."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        try:
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
                self._connection.execute(f"PRAGMA {pragma}")
            with self._transaction() as connection:
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute(
                    "UPDATE orders SET state = 'interrupted', interruptions = interruptions + 1 WHERE state = 'running'",
                )
        except sqlite3.OperationalError as error:
            self._connection.close()
            if "locked" in str(error):
                raise Conflict("Another compute daemon uses this state directory.", details=path) from error
            raise

    def admit(self, fence: Fence, kind: str, document: dict[str, object], *, tombstone: bool = False) -> Admission:
        """Decide about an order that arrived and, when it is to run, note that it does.

        `tombstone` says that builds and actions up to the fence's epoch shall be refused from now on.
        """
        now = self._clock.time()
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT state, outcome, interruptions FROM orders WHERE operation_id = ? AND sequence = ?",
                (fence.operation_id, fence.sequence),
            ).fetchone()
            if row is not None and row[0] == "done":
                return Admission(Verdict.ANSWER, outcome=_outcome(row[1]))
            if row is not None and row[0] == "running":
                return Admission(Verdict.IGNORE)
            if not _is_current(connection, fence, kind):
                return Admission(Verdict.STALE)
            connection.execute(
                "INSERT INTO instances (uuid, epoch, tombstone, seen_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (uuid) DO UPDATE SET "
                "epoch = ?2, seen_at = ?4, tombstone = max(coalesce(tombstone, ?3), coalesce(?3, tombstone))",
                (fence.instance_uuid, fence.epoch, fence.epoch if tombstone else None, now),
            )
            connection.execute(
                "INSERT INTO orders (operation_id, sequence, uuid, epoch, kind, state, document, changed_at) "
                "VALUES (?, ?, ?, ?, ?, 'running', ?, ?) "
                "ON CONFLICT (operation_id, sequence) DO UPDATE SET state = 'running', changed_at = excluded.changed_at",
                (
                    fence.operation_id, fence.sequence, fence.instance_uuid, fence.epoch, kind,
                    orjson.dumps(document).decode(), now,
                ),
            )
            return Admission(Verdict.RUN, interruptions=row[2] if row else 0)

    def is_current(self, fence: Fence, kind: str) -> bool:
        """Answer whether nothing newer than this order has arrived for its instance."""
        with self._lock:
            return _is_current(self._connection, fence, kind)

    def finish(self, outcome: Outcome) -> bool:
        """Note how an order ended; answer False when it had ended already (at its deadline) and this end comes too late."""
        fence = outcome.fence
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE orders SET state = 'done', outcome = ?, document = '{}', sent = 0, changed_at = ? "
                "WHERE operation_id = ? AND sequence = ? AND state <> 'done'",
                (orjson.dumps(serializer.dump(Outcome, outcome)).decode(), self._clock.time(), fence.operation_id, fence.sequence),
            )
            return changed.rowcount > 0

    def sent(self, fences: Iterable[Fence]) -> None:
        """Note that the outcomes of these orders were handed to the broker."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE orders SET sent = 1 WHERE operation_id = ? AND sequence = ?",
                [(fence.operation_id, fence.sequence) for fence in fences],
            )

    def unsent(self, limit: int) -> list[Outcome]:
        """Answer the outcomes of orders which were not handed to the broker yet, oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT outcome FROM orders WHERE state = 'done' AND sent = 0 ORDER BY changed_at LIMIT ?", (limit,),
            ).fetchall()
        return [_outcome(text) for (text,) in rows]

    def interrupted(self) -> list[Interrupted]:
        """Answer the orders which ran when an earlier daemon died, and which nobody took up again."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT uuid, operation_id, sequence, epoch, kind, document, interruptions FROM orders "
                "WHERE state = 'interrupted' ORDER BY changed_at",
            ).fetchall()
        return [
            Interrupted(
                Fence(instance_uuid=uuid, operation_id=operation, sequence=sequence, epoch=epoch), kind, orjson.loads(document), count,
            )
            for uuid, operation, sequence, epoch, kind, document, count in rows
        ]

    def epoch(self, instance_uuid: str) -> int | None:
        """Answer the highest epoch seen of an instance; None when this host never heard of it."""
        with self._lock:
            row = self._connection.execute("SELECT epoch FROM instances WHERE uuid = ?", (instance_uuid,)).fetchone()
        return row[0] if row else None

    def learn(self, epochs: dict[str, int]) -> None:
        """Raise what is known of instances to these epochs (told by the conductor, when the file may have been lost)."""
        now = self._clock.time()
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO instances (uuid, epoch, tombstone, seen_at) VALUES (?, ?, NULL, ?) "
                "ON CONFLICT (uuid) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
                [(uuid, epoch, now) for uuid, epoch in epochs.items()],
            )

    def bury(self, instance_uuid: str) -> None:
        """Set a tombstone at the highest epoch seen: the instance is gone from here though nobody ordered it."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE instances SET tombstone = epoch, seen_at = ? WHERE uuid = ?", (self._clock.time(), instance_uuid),
            )

    def prune(self, orders_before: float, tombstones_before: float) -> int:
        """Forget orders done before one time (epoch seconds) and tombstones set before another; answer how many."""
        with self._transaction() as connection:
            done = connection.execute("DELETE FROM orders WHERE state = 'done' AND changed_at < ?", (orders_before,)).rowcount
            # Interrupted ones which nobody asked for again: their task ended at its deadline long ago.
            lost = connection.execute(
                "DELETE FROM orders WHERE state = 'interrupted' AND kind <> 'destroy' AND changed_at < ?", (tombstones_before,),
            ).rowcount
            buried = connection.execute(
                "DELETE FROM instances WHERE tombstone >= epoch AND seen_at < ?", (tombstones_before,),
            ).rowcount
        return done + lost + buried

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _is_current(connection: sqlite3.Connection, fence: Fence, kind: str) -> bool:
    row = connection.execute("SELECT epoch, tombstone FROM instances WHERE uuid = ?", (fence.instance_uuid,)).fetchone()
    if row is None:
        return True
    epoch, tombstone = row
    if fence.epoch < epoch:
        return False
    if kind != "destroy" and tombstone is not None and fence.epoch <= tombstone:
        return False
    (newest,) = connection.execute(
        "SELECT max(sequence) FROM orders WHERE operation_id = ?", (fence.operation_id,),
    ).fetchone()
    return newest is None or fence.sequence >= newest


def _outcome(text: str) -> Outcome:
    answer: Outcome = serializer.load(Outcome, orjson.loads(text))
    return answer
