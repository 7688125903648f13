"""Lists of servers: Core queries of the columns that are shown, filtered, sorted and paged in the database.

What only a document holds (tags, metadata, addresses) and regular expressions are filtered here, page by page, so that their
cost is bounded by the rows the other filters leave.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from novalike.db import paging
from novalike.db.cells import Cells
from novalike.db.models.instances import BlockDeviceRow, InstanceRow
from novalike.exception import Invalid
from novalike.objects.states import TaskState, VmState

_TABLE = InstanceRow.__table__
_NEVER = datetime(1970, 1, 1)  # noqa: DTZ001  # naive UTC, as the database stores times
#: Rows which one query reads while filters of documents are applied.
_CHUNK = 1000
#: CPU seconds of one request for searching by regular expressions, which nothing else can run beside.
_SEARCHING = 1.0

#: A server as lists and views read it: a row with the columns below, documents as the JSON they are stored as.
ServerRecord = sa.Row[Any]
#: Its id, and whether it is deleted with the server.
Volume = tuple[str, bool]
SHOWN = (
    "id", "uuid", "project_id", "user_id", "display_name", "hostname", "vm_state", "task_state", "power_state", "host", "node",
    "availability_zone", "image_ref", "key_name", "reservation_id", "launch_index", "guest_name", "locked_by", "config_drive", "progress",
    "access_ip_v4", "access_ip_v6", "document", "network_info", "fault", "created_at", "updated_at", "launched_at",
    "terminated_at", "deleted",
)
_BRIEF = ("id", "uuid", "display_name")
_SHOWN_COLUMNS = [_TABLE.c[name] for name in SHOWN]
#: Built once: polling clients ask for these more than for anything else, and making them costs more than running them.
_DEVICES = BlockDeviceRow.__table__
_WITH_VOLUMES = [*_SHOWN_COLUMNS, _DEVICES.c.id.label("device_id"), _DEVICES.c.volume_id, _DEVICES.c.delete_on_termination]
_SHOW = sa.select(*_WITH_VOLUMES).select_from(_TABLE.outerjoin(
    _DEVICES, sa.and_(_DEVICES.c.instance_uuid == _TABLE.c.uuid, _DEVICES.c.volume_id.is_not(None)),
)).where(_TABLE.c.uuid == sa.bindparam("in_uuid"), _TABLE.c.deleted == 0)
_SHOW_OWN = _SHOW.where(_TABLE.c.project_id == sa.bindparam("in_project"))
_VOLUMES = sa.select(_DEVICES.c.instance_uuid, _DEVICES.c.volume_id, _DEVICES.c.delete_on_termination).where(
    _DEVICES.c.instance_uuid.in_(sa.bindparam("uuids", expanding=True)), _DEVICES.c.volume_id.is_not(None),
).order_by(_DEVICES.c.id)


class document_text(FunctionElement[str]):  # noqa: N801  # reads as a function in queries
    """SQL expression: a field of `document` as text, NULL when it is not there."""

    type = sa.Text()
    inherit_cache = False

    def __init__(self, name: str) -> None:
        super().__init__()
        self.field = name


@compiles(document_text, "sqlite")
def _field_sqlite(element: document_text, _compiler: SQLCompiler, **_kw: Any) -> str:
    return f"json_extract(instances.document, '$.{element.field}')"


@compiles(document_text, "mysql")
@compiles(document_text, "mariadb")
def _field_mysql(element: document_text, _compiler: SQLCompiler, **_kw: Any) -> str:
    return f"JSON_UNQUOTE(JSON_EXTRACT(instances.document, '$.{element.field}'))"


@compiles(document_text, "postgresql")
def _field_postgresql(element: document_text, _compiler: SQLCompiler, **_kw: Any) -> str:
    return f"(CAST(instances.document AS json) ->> '{element.field}')"


def _text(name: str) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(_TABLE.c[name], "")


def _moment(name: str) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(_TABLE.c[name], sa.literal(_NEVER, _TABLE.c[name].type), type_=_TABLE.c[name].type)


#: What lists may be sorted by, by Nova's names, as expressions which are never NULL.
SORT_KEYS: dict[str, sa.ColumnElement[Any]] = {
    **{name: _text(name) for name in (
        "access_ip_v4", "access_ip_v6", "availability_zone", "host", "key_name", "locked_by", "node", "task_state",
    )},
    **{name: _TABLE.c[name] for name in (
        "config_drive", "created_at", "display_name", "hostname", "image_ref", "launch_index", "power_state", "progress",
        "project_id", "user_id", "uuid", "vm_state", "id",
    )},
    **{name: _moment(name) for name in ("launched_at", "terminated_at", "updated_at")},
    "instance_type_id": _TABLE.c.flavor_id,
    "locked": _text("locked_by"),
    "display_description": sa.func.coalesce(document_text("description"), ""),
    **{name: sa.func.coalesce(document_text(name), "") for name in (
        "auto_disk_config", "kernel_id", "ramdisk_id", "root_device_name",
    )},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list is narrowed to; None (or empty) does not filter.

    `equal` are columns and their value, `document` are fields of the document and their text. `states` are alternatives as
    states.states_of_status answers them. `patterns` are regular expressions on columns (any case); `addresses` on fixed
    and floating IPs of a version. Tags: `tags` all of them, `tags_any` one of them, `not_tags` not all, `not_tags_any` none.
    """

    project_id: str | None = None
    deleted: bool | None = False                 # None: both
    states: Sequence[tuple[VmState, tuple[TaskState, ...], bool]] | None = None
    equal: tuple[tuple[str, Any], ...] = ()
    document: tuple[tuple[str, str], ...] = ()
    patterns: tuple[tuple[str, str], ...] = ()
    addresses: tuple[tuple[int, str], ...] = ()
    changed_since: datetime | None = None
    changed_before: datetime | None = None
    soft_deleted: bool = False                   # False hides soft-deleted ones, unless states ask for them
    locked: bool | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()
    not_tags: tuple[str, ...] = ()
    not_tags_any: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a list is sorted and where its page begins; the default is newest first."""

    keys: tuple[tuple[str, bool], ...] = (("created_at", True),)      # name, descending?
    limit: int = 1000
    marker: str | None = None


def show(session: Session, uuid: str, *, project_id: str | None = None) -> tuple[ServerRecord, list[Volume]] | None:
    """Answer one server which is not deleted, and its volumes, in one query; None when it is not there (or not the project's)."""
    query = _SHOW if project_id is None else _SHOW_OWN
    rows: Sequence[ServerRecord] = session.execute(query, {"in_uuid": uuid, "in_project": project_id}).all()
    if not rows:
        return None
    attached = sorted((row for row in rows if row.device_id is not None), key=lambda row: row.device_id)
    return rows[0], [(row.volume_id, bool(row.delete_on_termination)) for row in attached]


def volumes(session: Session, uuids: Sequence[str]) -> dict[str, list[Volume]]:
    """Answer the volumes of servers by uuid."""
    found: dict[str, list[Volume]] = {}
    for start in range(0, len(uuids), 1000):
        for uuid, volume_id, dies in session.execute(_VOLUMES, {"uuids": list(uuids[start:start + 1000])}):
            found.setdefault(uuid, []).append((volume_id or "", bool(dies)))
    return found


def page(cells: Cells, filters: Filters, order: Order, *, brief: bool = False) -> list[ServerRecord]:
    """Answer a page of servers (with all SHOWN columns, or only id, uuid and display_name).

    One query, one more with a marker; more only where documents or patterns are filtered. Raises Invalid for a marker that
    is not there.
    """
    databases = list(cells)
    keys = _keys(order, unique="id" if len(databases) == 1 else "uuid")
    marker = _marker(cells, order, keys, filters.project_id)
    found: list[tuple[tuple[Any, ...], ServerRecord]] = []
    for database in databases:
        with database.read() as session:
            found += _in_cell(session, filters, keys, marker, order.limit, brief=brief)
    if len(databases) > 1:
        found.sort(key=functools.cmp_to_key(_comparison([descending for _, descending in keys])))
    return [record for _, record in found[:order.limit]]


def _keys(order: Order, *, unique: str) -> list[paging.Key]:
    wanted = [(name, descending) for name, descending in order.keys if name in SORT_KEYS]
    if not wanted:
        wanted = [("created_at", True)]
    keys: list[paging.Key] = [(SORT_KEYS[name], descending) for name, descending in wanted]
    # Ids break ties along the index; with several cells they repeat, and uuids have to do it.
    return [*keys, (_TABLE.c[unique], wanted[-1][1])]


def _marker(cells: Cells, order: Order, keys: list[paging.Key], project_id: str | None) -> tuple[Any, ...] | None:
    if order.marker is None:
        return None
    query = sa.select(*(expression for expression, _ in keys)).where(_TABLE.c.uuid == order.marker)
    if project_id is not None:                   # else one's own servers, sorted, would tell how a foreign one compares
        query = query.where(_TABLE.c.project_id == project_id)
    for database in cells:
        with database.read() as session:
            row = session.execute(query).first()
        if row is not None:
            return tuple(row)
    raise Invalid(f"marker [{order.marker[:255]}] not found")


def _in_cell(
    session: Session, filters: Filters, keys: list[paging.Key], marker: tuple[Any, ...] | None, limit: int, *, brief: bool,
) -> list[tuple[tuple[Any, ...], ServerRecord]]:
    fits = _predicates(filters)
    columns = [_TABLE.c[name] for name in _BRIEF] if brief and not fits else _SHOWN_COLUMNS
    places = {id(column): place for place, column in enumerate(columns)}
    more = [key for key, _ in keys if id(key) not in places]
    query = sa.select(*columns, *(key.label(f"sort_{index}") for index, key in enumerate(more))).where(*_where(filters))
    # Where in a row the values stand which it is sorted by: among the columns, or after them.
    places |= {id(key): place for place, key in enumerate(more, len(columns))}
    sorting = [places[id(key)] for key, _ in keys]
    found: list[tuple[tuple[Any, ...], ServerRecord]] = []
    size = max(limit, _CHUNK) if fits else limit
    while limit > 0:
        rows = session.execute(paging.page(query, keys, marker=marker, limit=size)).all()
        found += [(tuple(row[place] for place in sorting), row) for row in rows if all(fit(row) for fit in fits)]
        if not fits or len(rows) < size or len(found) >= limit:
            break
        marker = tuple(rows[-1][place] for place in sorting)
    return found[:limit]


def _comparison(descending: list[bool]) -> Callable[[tuple[tuple[Any, ...], Any], tuple[tuple[Any, ...], Any]], int]:
    def compare(one: tuple[tuple[Any, ...], Any], other: tuple[tuple[Any, ...], Any]) -> int:
        for mine, yours, down in zip(one[0], other[0], descending, strict=True):
            if mine != yours:
                return -1 if (mine < yours) != down else 1
        return 0
    return compare


def _where(filters: Filters) -> Iterable[sa.ColumnElement[bool]]:
    column = _TABLE.c
    if filters.project_id is not None:
        yield column.project_id == filters.project_id
    if filters.deleted is not None:
        yield column.deleted == int(filters.deleted)
    if filters.states is not None:
        yield sa.or_(sa.false(), *(_in_state(*row) for row in filters.states))
    elif not filters.soft_deleted:
        yield column.vm_state != VmState.SOFT_DELETED
    for name, value in filters.equal:
        yield column[name].is_(None) if value is None else column[name] == value
    for name, text in filters.document:
        yield document_text(name) == text
    if filters.changed_since is not None:
        yield column.updated_at >= filters.changed_since
    if filters.changed_before is not None:
        yield column.updated_at <= filters.changed_before
    if filters.locked is not None:
        yield column.locked_by.is_not(None) if filters.locked else column.locked_by.is_(None)
    for name, pattern in filters.patterns:
        if _is_plain(pattern):
            yield sa.func.lower(column[name]).contains(pattern.lower(), autoescape=True)


def _in_state(vm_state: str, tasks: tuple[TaskState, ...], inside: bool) -> sa.ColumnElement[bool]:
    state = _TABLE.c.vm_state == vm_state
    if not tasks:
        return state
    among = _TABLE.c.task_state.in_(tasks)
    return sa.and_(state, among if inside else sa.or_(_TABLE.c.task_state.is_(None), sa.not_(among)))


def _is_plain(pattern: str) -> bool:
    return pattern.isascii() and re.search(r"[\\^$.|?*+()\[\]{}]", pattern) is None


def _predicates(filters: Filters) -> list[Callable[[ServerRecord], bool]]:
    search = _Search()
    fits = [
        _matches(search, name, re.compile(pattern, re.IGNORECASE)) for name, pattern in filters.patterns if not _is_plain(pattern)
    ]
    fits += [_has_address(search, version, re.compile(pattern)) for version, pattern in filters.addresses]
    if filters.metadata:
        wanted = dict(filters.metadata)
        fits.append(lambda row: wanted.items() <= (row.document.get("metadata") or {}).items())
    for names, decide in (
        (filters.tags, lambda named, tags: named <= tags), (filters.tags_any, lambda named, tags: bool(named & tags)),
        (filters.not_tags, lambda named, tags: not named <= tags), (filters.not_tags_any, lambda named, tags: not named & tags),
    ):
        if names:
            fits.append(_has_tags(frozenset(names), decide))
    return fits


class _Search:
    """Regular expressions of users, with the CPU which those of one request may take together."""

    def __init__(self) -> None:
        self._left = _SEARCHING

    def __call__(self, pattern: re.Pattern[str], text: str) -> bool:
        """Tell whether a text has a match. Raises Invalid when all searches took too long."""
        begun = time.thread_time()
        found = pattern.search(text) is not None
        self._left -= time.thread_time() - begun
        if self._left < 0:
            raise Invalid("The regular expressions of this request are too expensive for so many servers.")
        return found


def _matches(search: _Search, name: str, pattern: re.Pattern[str]) -> Callable[[ServerRecord], bool]:
    return lambda row: search(pattern, getattr(row, name) or "")


def _has_address(search: _Search, version: int, pattern: re.Pattern[str]) -> Callable[[ServerRecord], bool]:
    return lambda row: any(
        search(pattern, text)
        for vif in row.network_info or () for ip in vif.get("fixed_ips", ()) if ip.get("version", 4) == version
        for text in (ip["address"], *ip.get("floating", ()))
    )


def _has_tags(
    named: frozenset[str], decide: Callable[[frozenset[str], frozenset[str]], bool],
) -> Callable[[ServerRecord], bool]:
    return lambda row: decide(named, frozenset(row.document.get("tags") or ()))
