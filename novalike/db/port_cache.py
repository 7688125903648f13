"""What is stored of a server's ports is a copy of what the network service knows: brings it up to date without a task.

Which ports a server has, and how they are plugged, is for tasks to change: never for these functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy.orm import Session

from novalike.db import instances, tasks
from novalike.objects.network_info import Vif
from novalike.rpc import serializer

#: What users change at the network service while a port is in use.
_REFRESHED = ("label", "mac", "mtu", "fixed_ips", "subnets", "security_groups", "status", "plugging")


def refresh(session: Session, uuid: str, current: Iterable[Vif]) -> bool:
    """Take over addresses, groups and status of those ports which the server has; answer whether anything changed.

    Raises NotFound.
    """
    row = instances.lock(session, uuid)
    fresh = {vif.port_id: vif for vif in current}
    stored = [serializer.load(Vif, document) for document in row.network_info or ()]
    refreshed = [_merged(vif, fresh[vif.port_id]) if vif.port_id in fresh else vif for vif in stored]
    if refreshed == stored:
        return False
    row.network_info = [serializer.dump(Vif, vif) for vif in refreshed]
    return True


def _merged(stored: Vif, fresh: Vif) -> Vif:
    return replace(stored, **{name: getattr(fresh, name) for name in _REFRESHED})


def forget(session: Session, uuid: str, port_id: str) -> bool:
    """Drop a port which the network service deleted from a server without a guest; False when a task is at work on it.

    Raises NotFound.
    """
    row = instances.lock(session, uuid)
    if tasks.of_instance(session, uuid) is not None:
        return False
    row.network_info = [stored for stored in row.network_info or () if stored["port_id"] != port_id]
    return True
