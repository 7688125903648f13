"""A database of Nova's: opened, recognised by its tables and columns, and read in batches. Nothing is written to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from novalike.exception import Invalid, Unavailable

#: Rows which are read, and taken over, at a time.
BATCH = 500
API, CELL = "API", "cell"
Row = dict[str, Any]

#: Tables and the columns without which nothing can be understood; Nova has had all of them since Queens (17). What else is
#: read may be missing in an older one.
NEEDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    API: {
        "flavors": ("id", "flavorid", "name", "vcpus", "memory_mb", "root_gb", "ephemeral_gb", "swap", "is_public", "disabled"),
        "flavor_extra_specs": ("flavor_id", "key", "value"), "flavor_projects": ("flavor_id", "project_id"),
        "key_pairs": ("id", "user_id", "name", "type", "public_key", "fingerprint"), "aggregates": ("id", "uuid", "name"),
        "aggregate_hosts": ("aggregate_id", "host"), "aggregate_metadata": ("aggregate_id", "key", "value"),
        "instance_groups": ("id", "uuid", "name", "project_id", "user_id"), "instance_group_policy": ("group_id", "policy"),
        "instance_group_member": ("group_id", "instance_uuid"), "quotas": ("id", "project_id", "resource", "hard_limit"),
        "project_user_quotas": ("id", "project_id", "user_id", "resource", "hard_limit"),
        "quota_classes": ("id", "class_name", "resource", "hard_limit"), "request_specs": ("instance_uuid", "spec"),
        "instance_mappings": ("id", "instance_uuid", "cell_id"), "cell_mappings": ("id", "name"), "build_requests": ("id", "instance_uuid"),
    },
    CELL: {
        "instances": ("id", "uuid", "project_id", "user_id", "vm_state", "task_state", "power_state", "host", "node", "deleted"),
        "instance_extra": ("instance_uuid", "flavor", "numa_topology", "pci_requests", "keypairs"),
        "instance_info_caches": ("instance_uuid", "network_info"), "instance_metadata": ("instance_uuid", "key", "value"),
        "instance_system_metadata": ("instance_uuid", "key", "value"), "tags": ("resource_id", "tag"),
        "block_device_mapping": ("instance_uuid", "source_type", "destination_type", "boot_index", "attachment_id"),
        "instance_actions": ("id", "instance_uuid", "action", "request_id", "start_time"),
        "instance_actions_events": ("id", "action_id", "event", "start_time", "finish_time", "result"),
        "instance_faults": ("id", "instance_uuid", "code", "message"), "migrations": ("id", "uuid", "instance_uuid", "migration_type", "status"),
        "virtual_interfaces": ("uuid", "instance_uuid", "tag"), "pci_devices": ("instance_uuid", "address", "vendor_id", "product_id", "dev_type"),
        "compute_nodes": ("id", "uuid", "host", "hypervisor_hostname", "vcpus", "memory_mb", "local_gb"), "services": ("id", "uuid", "host", "binary"),
    },
}
#: A table of either kind which the other kind does not have.
_SIGN = {API: "instance_mappings", CELL: "instance_extra"}
_OURS = ("alembic_version_global", "alembic_version_cell")


class NovaDatabase:
    """One of Nova's databases, to be read. Raises Invalid when it is something else, Unavailable when it does not answer."""

    def __init__(self, url: str, kind: str) -> None:
        try:
            parsed = sa.make_url(url)
            if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
                raise Invalid(f"There is no database {parsed.database}.")          # else SQLite would make one
            self._engine = sa.create_engine(parsed, isolation_level="AUTOCOMMIT", hide_parameters=True, connect_args=_patience(parsed))
        except (sa.exc.ArgumentError, ImportError) as error:
            raise Invalid(f"The URL of Nova's {kind} database is of no use: {error}") from error
        self.name = parsed.render_as_string(hide_password=True)
        self.kind = kind
        try:
            self._tables = self._reflect()
        except sa.exc.DBAPIError as error:
            self.close()
            raise Unavailable(f"Nova's {kind} database {self.name} cannot be read: {str(error.orig).splitlines()[0]}") from error
        except Invalid:
            self.close()
            raise

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def _reflect(self) -> dict[str, sa.Table]:
        inspector = sa.inspect(self._engine)
        there = set(inspector.get_table_names())
        if there & set(_OURS):
            raise Invalid(f"{self.name} is a database of novalike's own, not of a Nova.")
        other = CELL if self.kind == API else API
        if _SIGN[other] in there and _SIGN[self.kind] not in there:
            raise Invalid(f"{self.name} is Nova's {other} database, and was given as its {self.kind} database.")
        missing = sorted(NEEDED[self.kind].keys() - there)
        if missing:
            raise Invalid(f"{self.name} is no {self.kind} database of a Nova since Queens: it has no table {', '.join(missing[:3])}.")
        metadata = sa.MetaData()
        metadata.reflect(self._engine, only=list(NEEDED[self.kind]), resolve_fks=False)
        for name, columns in NEEDED[self.kind].items():
            gone = [column for column in columns if column not in metadata.tables[name].columns]
            if gone:
                raise Invalid(f"{self.name} is of a Nova which is not understood: its table {name} has no column {', '.join(gone)}.")
        return dict(metadata.tables)

    def rows(self, table: str, *, with_deleted: bool = False) -> Iterator[list[Row]]:
        """Answer all rows of a table with a number, in batches; deleted ones only if asked for."""
        source, last = self._tables[table], 0
        while True:
            batch = self._fetch(self._living(source, with_deleted).where(source.c.id > last).order_by(source.c.id).limit(BATCH))
            if not batch:
                return
            yield batch
            last = batch[-1]["id"]

    def every(self, table: str) -> Iterator[Row]:
        """Answer all rows of a table with a number, one by one."""
        for batch in self.rows(table):
            yield from batch

    def of(self, table: str, column: str, values: Collection[Any]) -> dict[Any, list[Row]]:
        """Answer the rows which are not deleted of these owners (at most a batch), by owner and in the order in which they were made."""
        source = self._tables[table]
        if not values:
            return {}
        query = self._living(source).where(source.c[column].in_(list(values)))
        found: dict[Any, list[Row]] = {}
        for row in self._fetch(query.order_by(source.c.id) if "id" in source.columns else query):
            found.setdefault(row[column], []).append(row)
        return found

    def count(self, table: str) -> int:
        """Answer how many rows a table has, deleted ones left out."""
        query = sa.select(sa.func.count()).select_from(self._living(self._tables[table]).subquery())
        with self._engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def _living(self, table: sa.Table, with_deleted: bool = False) -> sa.Select[Any]:
        query = sa.select(table)
        return query if with_deleted or "deleted" not in table.columns else query.where(table.c.deleted == 0)

    def _fetch(self, query: sa.Select[Any]) -> list[Row]:
        try:
            with self._engine.connect() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]
        except sa.exc.DBAPIError as error:
            raise Unavailable(f"Nova's {self.kind} database {self.name} cannot be read any more: {str(error.orig).splitlines()[0]}") from error


def _patience(url: sa.URL) -> dict[str, Any]:
    return {} if url.get_backend_name() == "sqlite" else {"connect_timeout": 10}
