"""Reads what only some filters and weighers need of hosts (host_state.py names it): of changed hosts, or of all at once.

How busy a host is changes without a change of its row, so that it is read for all hosts together, from the few tasks which
run; what monitors measure is read for all, too, but seldom: hosts report it once a minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.instances import InstanceRow
from novalike.db.models.tasks import TaskRow
from novalike.objects.states import TaskState

_NODES = cast("sa.Table", ComputeNodeRow.__table__)
_CLAIMS = cast("sa.Table", ClaimRow.__table__)
_INSTANCES = cast("sa.Table", InstanceRow.__table__)
_TASKS = cast("sa.Table", TaskRow.__table__)

#: States of servers which make their hosts read and write a lot: Nova's list, and what lies between its entries.
BUSY = (
    TaskState.BLOCK_DEVICE_MAPPING, TaskState.NETWORKING, TaskState.SPAWNING, TaskState.REBUILDING,
    TaskState.REBUILD_BLOCK_DEVICE_MAPPING, TaskState.REBUILD_SPAWNING, TaskState.RESIZE_PREP, TaskState.RESIZE_MIGRATING,
    TaskState.RESIZE_MIGRATED, TaskState.RESIZE_FINISH, TaskState.RESIZE_REVERTING, TaskState.IMAGE_SNAPSHOT,
    TaskState.IMAGE_SNAPSHOT_PENDING, TaskState.IMAGE_PENDING_UPLOAD, TaskState.IMAGE_UPLOADING, TaskState.IMAGE_BACKUP,
    TaskState.RESCUING, TaskState.UNSHELVING, TaskState.SHELVING_IMAGE_PENDING_UPLOAD, TaskState.SHELVING_IMAGE_UPLOADING,
    TaskState.SCHEDULING, TaskState.MIGRATING,
)
_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
#: A server which moves keeps both of its hosts busy: claims tell of both.
_BUSY = sa.select(_CLAIMS.c.compute_node_id, sa.func.count(sa.distinct(_CLAIMS.c.instance_uuid))).join(
    _TASKS, _TASKS.c.instance_uuid == _CLAIMS.c.instance_uuid,
).join(_INSTANCES, _INSTANCES.c.uuid == _TASKS.c.instance_uuid).where(
    _INSTANCES.c.task_state.in_([str(state) for state in BUSY]),
).group_by(_CLAIMS.c.compute_node_id)
_USAGES = sa.select(_NODES.c.id, _NODES.c.usage).where(_NODES.c.deleted == 0)
_FLAVORS = sa.select(_CLAIMS.c.compute_node_id, _INSTANCES.c.flavor_id).distinct().join(
    _INSTANCES, _INSTANCES.c.uuid == _CLAIMS.c.instance_uuid,
).where(_CLAIMS.c.compute_node_id.in_(_IDS))
_DOCUMENTS = sa.select(_CLAIMS.c.compute_node_id, _INSTANCES.c.document).join(
    _INSTANCES, _INSTANCES.c.uuid == _CLAIMS.c.instance_uuid,
).where(_CLAIMS.c.compute_node_id.in_(_IDS))


def io_ops(session: Session) -> dict[int, int]:
    """Answer, by compute node id, how many of its servers are being built, moved, saved and the like; idle ones are left out."""
    return {node_id: int(count) for node_id, count in session.execute(_BUSY)}


def metrics(session: Session) -> dict[int, Mapping[str, float]]:
    """Answer, by compute node id, what monitors measured there last; nodes without are left out."""
    return {
        node_id: {name: float(value) for name, value in usage["metrics"].items()}
        for node_id, usage in session.execute(_USAGES) if usage and usage.get("metrics")
    }


def flavors(session: Session, node_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """Answer, by compute node id, the flavors of the servers there."""
    found: dict[int, set[str]] = {}
    for node_id, flavor_id in session.execute(_FLAVORS, {"ids": sorted(node_ids)}):
        found.setdefault(node_id, set()).add(flavor_id)
    return {node_id: frozenset(ids) for node_id, ids in found.items()}


def image_properties(session: Session, node_ids: Collection[int]) -> dict[int, Mapping[tuple[str, str], int]]:
    """Answer, by compute node id, how many servers there have each image property, as (name, value)."""
    found: dict[int, Counter[tuple[str, str]]] = {}
    for node_id, document in session.execute(_DOCUMENTS, {"ids": sorted(node_ids)}):
        properties = document.get("image_properties") or {}
        found.setdefault(node_id, Counter()).update((name, str(value)) for name, value in properties.items())
    return dict(found)
