"""What the work of a conductor acts on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from oslo_config import cfg

from novalike.clock import Clock
from novalike.context import RequestContext
from novalike.db.cells import Cells
from novalike.image.client import ImageClient
from novalike.network.client import NetworkClient
from novalike.notifications.notifier import SILENT, Notifier
from novalike.objects.instance import Instance
from novalike.objects.tasks import Caller
from novalike.rpc.scheduler import Scheduler
from novalike.vault import Vault
from novalike.volume.client import NoVolumes, VolumeClient


@dataclass(frozen=True, kw_only=True)
class World:
    """What steps act on; made once per conductor."""

    conf: cfg.ConfigOpts
    clock: Clock
    cells: Cells
    scheduler: Scheduler
    compute: Callable[[type, str], Any]          # (interface, host) -> RPC client
    networks: NetworkClient
    images: ImageClient
    vault: Vault
    owner: str
    lease_time: int = 90                         # seconds for which a task is this conductor's alone
    notifier: Notifier = SILENT
    volumes: VolumeClient = field(default_factory=NoVolumes)


def on_behalf_of(instance: Instance) -> Caller:
    """Answer who asks for what a conductor begins by itself: the server's user, under a request id of its own."""
    return Caller(user_id=instance.user_id, project_id=instance.project_id, request_id=RequestContext().request_id)
