"""Instances for tests below the API."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

from novalike.objects.flavor import Flavor
from novalike.objects.instance import Instance
from novalike.objects.tasks import Caller

CALLER = Caller(user_id="u1", project_id="p1", request_id="req-00000000-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 21, 12, 0, 0)  # noqa: DTZ001  # naive UTC, as the database stores times
SMALL = Flavor(flavorid="1", name="m1.small", vcpus=1, memory_mb=512, root_gb=1)


def instance(**values: Any) -> Instance:
    """Answer an instance that is being built, not stored yet."""
    base = Instance(
        id=0, uuid=str(uuid.uuid4()), project_id=CALLER.project_id, user_id=CALLER.user_id, display_name="vm", hostname="vm",
        vm_state="building", task_state="scheduling", flavor=SMALL, created_at=NOW, reservation_id="r-1",
    )
    return replace(base, **values)
