"""The service catalog as tokens carry it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from novalike.db import identity as db
from novalike.objects.identity import Endpoint, ServiceEntry

_PLACE = re.compile(r"[%$]\((\w+)\)s")


def render(session: Session, values: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Answer the catalog with `%(project_id)s` and the like filled in; endpoints which lack a value are left out."""
    by_service: dict[str, list[dict[str, Any]]] = {}
    for endpoint in db.listing(session, Endpoint, enabled=True):
        url = filled(endpoint.url, values)
        if url is not None:
            by_service.setdefault(endpoint.service_id, []).append({
                "id": endpoint.id, "interface": endpoint.interface, "region_id": endpoint.region_id,
                "region": endpoint.region_id, "url": url,
            })
    services = sorted(db.listing(session, ServiceEntry, enabled=True), key=lambda service: service.type)
    return [
        {"id": service.id, "type": service.type, "name": service.name or "", "endpoints": by_service[service.id]}
        for service in services if service.id in by_service
    ]


def filled(url: str, values: Mapping[str, str | None]) -> str | None:
    """Answer the URL with its places filled, or None when a value is missing."""
    missing = False

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        value = values.get(match.group(1))
        missing = missing or value is None
        return value or ""
    text = _PLACE.sub(fill, url)
    return None if missing else text
