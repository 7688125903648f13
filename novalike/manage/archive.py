"""`novalike-manage db archive_deleted_rows` and `db purge`, with the options and exit statuses of Nova's, and `db archived`."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, datetime
from functools import partial

from novalike.clock import Clock
from novalike.db import archive
from novalike.manage.command import Command, Session

#: What the options take at most, as in Nova.
MOST = 0x7FFFFFFF
#: What `date` prints: in the C locale, in American ones, in British ones; and `date -R`.
_DATES = (
    "%a %b %d %H:%M:%S %Z %Y", "%a %b %d %I:%M:%S %p %Z %Y", "%a %d %b %Y %I:%M:%S %p %Z", "%a %d %b %H:%M:%S %Z %Y",
    "%a, %d %b %Y %H:%M:%S %z",
)


def archive_deleted_rows(session: Session) -> int:
    """Move deleted servers out of the way; 0 nothing was archived, 1 something was, 2 and 4 wrong max_rows and before."""
    arguments, output = session.arguments, session.output
    if not 0 <= arguments.max_rows <= MOST:
        output.remark(f"--max_rows must be between 0 and {MOST}.")
        return 2
    try:
        before = moment(arguments.before) if arguments.before else None
    except ValueError as error:
        output.remark(f"Invalid value for --before: {error}")
        return 4
    moved: Counter[str] = Counter()
    try:
        _archive(session, before, moved)
    except KeyboardInterrupt:
        output.remark("Stopped. What is counted here was archived.")
    if arguments.verbose or arguments.json:
        rows = [{"table": table, "rows": count} for table, count in sorted(moved.items()) if count]
        output.rows(("table", "rows"), rows, empty="Nothing was archived.")
    if moved.total() and arguments.purge:
        _purge(session, None)
    return int(bool(moved.total()))


def purge(session: Session) -> int:
    """Remove what is archived for good; 0 something was removed, 1 an option is missing, 2 wrong before, 3 nothing was."""
    arguments, output = session.arguments, session.output
    if not arguments.before and not arguments.all:
        output.remark("Either --before or --all is required")
        return 1
    try:
        before = moment(arguments.before) if arguments.before else None
    except ValueError as error:
        output.remark(f"Invalid value for --before: {error}")
        return 2
    removed = _purge(session, before)
    if arguments.json:
        output.values({"removed": removed})
    return 0 if removed else 3


def archived(session: Session) -> int:
    """Show all that is kept of an archived server, as JSON; status 1 when nothing is."""
    for database in session.cells:
        found = database.fetch(archive.find, session.arguments.server)
        if found is not None:
            session.output.document(found)
            return 0
    session.output.remark(f"Server {session.arguments.server} is not archived.")
    return 1


def moment(text: str) -> datetime:
    """Read a time, as ISO 8601 or as `date` prints it; UTC unless it says another zone. Answers naive UTC. Raises ValueError."""
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        read = _of_date(text)
    return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo is not None else read


def _of_date(text: str) -> datetime:
    for form in _DATES:
        try:
            read = datetime.strptime(text.strip(), form)  # noqa: DTZ007  # %Z says nothing but that it is UTC or this machine's
        except ValueError:
            continue
        if read.tzinfo is not None:
            return read
        return read.replace(tzinfo=UTC) if {"UTC", "GMT"} & set(text.split()) else read.astimezone()
    raise ValueError(f"{text!r} is no time; write YYYY-MM-DD [HH:MM:SS]")


def _cells(session: Session) -> tuple[str, ...]:
    names = session.cells.names()
    return names if session.arguments.all_cells else names[:1]


def _archive(session: Session, before: datetime | None, moved: Counter[str]) -> None:
    """Archive what is asked for, and count in `moved` the rows of each table as they go."""
    arguments, clock = session.arguments, Clock()
    left = int(arguments.max_rows)
    for name in _cells(session):
        count = partial(_count, moved, f"{name}." if arguments.all_cells else "")
        count(archive.settle(session.cells, name))
        while left:
            found, rows = archive.move_servers(session.cells, name, before=before, limit=left, now=clock.now())
            count(rows)
            left -= found
            if not found and arguments.task_log:
                audits = session.cells.cell(name).write(archive.move_audits, before=before, limit=left, now=clock.now())
                count(audits)
                found = audits.total()
                left -= found
            if not found:
                break
            if not left and arguments.until_complete:
                left = arguments.max_rows
                if arguments.verbose:
                    session.output.remark(f"{moved.total()} rows are archived ...")
                clock.sleep(arguments.sleep)


def _count(moved: Counter[str], prefix: str, rows: Counter[str]) -> None:
    moved.update({table if table.startswith(archive.IN_GLOBAL) else prefix + table: count for table, count in rows.items()})


def _purge(session: Session, before: datetime | None) -> int:
    total = 0
    for name in _cells(session):
        archive.settle(session.cells, name)
        removed = 0
        while found := session.cells.cell(name).write(archive.purge, before=before):
            removed += found
        if session.arguments.verbose:
            session.output.remark(f"Cell {name}: removed {removed} rows from the archive")
        total += removed
    return total


def _archive_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max_rows", "--max-rows", type=int, default=1000, metavar="NUMBER", help="how many servers at most (%(default)s)")
    parser.add_argument("--before", metavar="DATE", help="only what was deleted before: YYYY-MM-DD [HH:MM:SS] in UTC, or what `date` prints")
    parser.add_argument("--until-complete", action="store_true", help="go on until nothing is left, max_rows at a time")
    parser.add_argument("--sleep", type=int, default=0, metavar="SECONDS", help="pause between those")
    parser.add_argument("--task-log", action="store_true", help="usage audits of past periods, too")
    parser.add_argument("--purge", action="store_true", help="purge all that is archived afterwards")
    _common(parser)


def _purge_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="all that is archived")
    parser.add_argument("--before", metavar="DATE", help="what was deleted before this")
    _common(parser)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all-cells", action="store_true", help="in all cells, not just the first")
    parser.add_argument("--verbose", action="store_true", help="say how many rows there were")


def _archived_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("server", metavar="UUID")


COMMANDS = (
    Command("db", "archive_deleted_rows", "Move deleted servers and all rows about them into the archive.", archive_deleted_rows, _archive_options),
    Command("db", "purge", "Remove what is archived for good.", purge, _purge_options, failed=4),
    Command("db", "archived", "Show what the archive has of a server.", archived, _archived_options),
)
