"""Host aggregates as the API shows them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.versions import Version
from novalike.api.openstack.pruning import Keys
from novalike.api.openstack.views.times import iso
from novalike.objects.aggregate import Aggregate

_KEYS = Keys({"uuid": ("2.41", None)})


def full(version: Version, aggregate: Aggregate) -> dict[str, Any]:
    """Answer an aggregate. The keys about deletion are kept from Nova's rows and never say anything else."""
    return _KEYS.prune({
        "id": aggregate.id,
        "uuid": aggregate.uuid,
        "name": aggregate.name,
        "availability_zone": aggregate.availability_zone,
        "hosts": list(aggregate.hosts),
        "metadata": aggregate.metadata,
        "created_at": iso(aggregate.created_at),
        "updated_at": iso(aggregate.updated_at),
        "deleted": False,
        "deleted_at": None,
    }, version)


def created(version: Version, aggregate: Aggregate) -> dict[str, Any]:
    """Answer a new aggregate, which shows neither hosts nor metadata."""
    shown = full(version, aggregate)
    del shown["hosts"], shown["metadata"]
    return shown
