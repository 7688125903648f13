"""Objects for tests, with defaults for all that a test does not care about."""

from __future__ import annotations

import itertools
import uuid
from datetime import datetime
from typing import Any

from novalike.objects.flavor import Flavor
from novalike.objects.image import Image
from novalike.objects.instance import Instance
from novalike.objects.network_info import FixedIp, Vif

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  # naive UTC, as the database stores times
_numbers = itertools.count(1)


def flavor(**values: Any) -> Flavor:
    number = next(_numbers)
    return Flavor(**{
        "flavorid": f"f{number}", "name": f"m1.f{number}", "vcpus": 1, "memory_mb": 512, "root_gb": 1, **values,
    })


def image(**values: Any) -> Image:
    return Image(**{
        "id": str(uuid.uuid4()), "name": "debian", "visibility": "public", "owner": "images", "container_format": "bare",
        "disk_format": "qcow2", "size": 1000, **values,
    })


def vif(address: str = "10.0.0.5", *, floating: tuple[str, ...] = (), label: str = "private", **values: Any) -> Vif:
    ip = FixedIp(address=address, subnet_id=str(uuid.uuid4()), version=6 if ":" in address else 4, floating=floating)
    return Vif(**{
        "port_id": str(uuid.uuid4()), "network_id": str(uuid.uuid4()), "label": label, "mac": "fa:16:3e:00:00:01",
        "fixed_ips": (ip,), **values,
    })


def instance(**values: Any) -> Instance:
    """Answer an active server on host-1."""
    number = next(_numbers)
    return Instance(**{
        "id": 0, "uuid": str(uuid.uuid4()), "project_id": "p1", "user_id": "u1", "display_name": f"server-{number}",
        "hostname": f"server-{number}", "vm_state": "active", "power_state": 1, "host": "host-1", "node": "host-1",
        "flavor": flavor(), "created_at": NOW, "updated_at": NOW, "launched_at": NOW, "reservation_id": "r-12345678", **values,
    })
