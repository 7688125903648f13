"""What an API process has at hand; made by cmd/ and given to every handler that needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from oslo_config import cfg

from novalike.api.operations.doorbell import Doorbell
from novalike.clock import Clock
from novalike.db.cells import Cells
from novalike.identity.client import IdentityClient
from novalike.image.client import ImageClient
from novalike.network.client import NetworkClient
from novalike.notifications.notifier import SILENT, Notifier
from novalike.policy import Enforcer
from novalike.volume.client import NoVolumes, VolumeClient


@dataclass(frozen=True, kw_only=True)
class ApiServices:
    """Databases, clients and rules of one API process.

    `compute(interface, host)` makes an RPC client of a compute host's interface; it is None-safe nowhere: a process without
    a transport has no compute API. `local` holds the local services by name (identity, image, network) where this process
    serves their APIs.
    """

    conf: cfg.ConfigOpts
    clock: Clock
    cells: Cells
    enforcer: Enforcer
    doorbell: Doorbell
    compute: Callable[[type, str], Any]
    identity: IdentityClient
    images: ImageClient
    networks: NetworkClient
    volumes: VolumeClient = field(default_factory=NoVolumes)
    local: dict[str, Any] = field(default_factory=dict)
    notifier: Notifier = SILENT
