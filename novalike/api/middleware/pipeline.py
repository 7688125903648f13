"""What every API of ours stands behind."""

from __future__ import annotations

from typing import Any

from novalike.api.middleware.auth import auth_filter
from novalike.api.middleware.request_id import RequestId
from novalike.api.services import ApiServices


def behind_authentication(
    app: Any, services: ApiServices, *, service_type: str, id_headers: tuple[str, ...] = ("X-Openstack-Request-Id",),
) -> Any:
    """Answer `app` behind request ids and authentication: request id, token, then the API."""
    return RequestId(auth_filter(app, services, service_type=service_type), headers=id_headers)
