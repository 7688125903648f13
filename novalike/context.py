"""Who asks, under which request id."""

from __future__ import annotations

import contextvars
import uuid
from dataclasses import dataclass, field, replace


def new_request_id() -> str:
    """Answer a fresh id in OpenStack's form, `req-<uuid>`."""
    return f"req-{uuid.uuid4()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """The caller of an API request, or of the work done for it later. Holds no token: none is ever stored or sent on.

    `roles` are as in the token (admin implies manager implies member implies reader, expanded at authentication).
    `elevated()` is the service's own authority, for work the caller may not do directly.
    """

    user_id: str | None = None
    project_id: str | None = None
    roles: tuple[str, ...] = ()
    request_id: str = field(default_factory=new_request_id)
    global_request_id: str | None = None
    user_name: str | None = None
    project_name: str | None = None
    user_domain_id: str | None = None
    project_domain_id: str | None = None
    system_scope: str | None = None
    domain_id: str | None = None                 # domain-scoped tokens
    is_admin: bool = False
    service_roles: tuple[str, ...] = ()          # of X-Service-Token, when one came along

    def elevated(self) -> RequestContext:
        """Answer the same caller with the service's own rights."""
        return replace(self, is_admin=True, roles=tuple({*self.roles, "admin"}))

    def policy_credentials(self) -> dict[str, object]:
        """Answer what oslo.policy checks rules against."""
        return {
            "user_id": self.user_id, "project_id": self.project_id, "roles": list(self.roles), "is_admin": self.is_admin,
            "system_scope": self.system_scope, "domain_id": self.domain_id, "user_domain_id": self.user_domain_id,
            "project_domain_id": self.project_domain_id, "service_roles": list(self.service_roles),
        }


def service_context(request_id: str | None = None) -> RequestContext:
    """Answer the context of the control plane's own work (periodic tasks, reconcilers)."""
    return RequestContext(is_admin=True, roles=("admin", "service"), request_id=request_id or new_request_id())


#: The request which this thread works for; the log format reads it. Greened by eventlet like threading.local is.
current: contextvars.ContextVar[RequestContext | None] = contextvars.ContextVar("novalike_context", default=None)
