"""Who asks: keystonemiddleware's auth_token in every shape, against our identity service or a real Keystone.

Identity headers which a client sends are removed first. What follows finds a RequestContext under CONTEXT_KEY: the
caller's, or an empty one when no valid token came along, so that public routes work and others answer 401 in their own
dialect (auth_token adds WWW-Authenticate to it).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import orjson
from keystonemiddleware.auth_token import AuthProtocol
from keystonemiddleware.auth_token._exceptions import InvalidToken
from oslo_config import cfg
from webob import exc as http

from novalike.api.http.application import CONTEXT_KEY
from novalike.api.middleware.request_id import GLOBAL_REQUEST_ID, REQUEST_ID
from novalike.api.services import ApiServices
from novalike.context import RequestContext, new_request_id
from novalike.exception import Unauthorized, Unavailable
from novalike.identity.local.service import LocalIdentity

LOG = logging.getLogger(__name__)

_IMPLIED = {
    "admin": ("admin", "manager", "member", "reader"), "manager": ("manager", "member", "reader"),
    "member": ("member", "reader"),
}


def auth_filter(app: Any, services: ApiServices, *, service_type: str) -> Any:
    """Answer `app` behind authentication. `service_type` (compute, image ...) is what access rules of application
    credentials name.

    The identity service is `services.local["identity"]` where there is one, else what [keystone_authtoken] names.
    """
    local = services.local.get("identity")
    inner = _Context(app)
    if local is not None:
        return _Scrub(_LocalAuth(inner, services.conf, local, service_type))
    return _Scrub(_RemoteAuth(inner, _settings(services.conf, service_type)))


def _settings(conf: cfg.ConfigOpts, service_type: str, **more: str) -> dict[str, Any]:
    return {"oslo_config_config": conf, "delay_auth_decision": "True", "service_type": service_type, **more}


class _Scrub:
    """Removes the one identity header which auth_token forgets."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ.pop("HTTP_OPENSTACK_SYSTEM_SCOPE", None)
        return self._app(environ, start_response)  # type: ignore[no-any-return]


class _NoCache:
    """Stands where auth_token wants a cache of its own."""

    def initialize(self, environ: dict[str, Any]) -> None:
        """Nothing to prepare."""


class _Auth(AuthProtocol):  # type: ignore[misc]
    """The stock auth_token, which adds its header to that which our dialects answer."""

    def process_response(self, response: Any) -> Any:
        if response.status_int == 401:
            response.headers["WWW-Authenticate"] = f'Keystone uri="{self.www_authenticate_uri}"'
        return response


class _LocalAuth(_Auth):
    """auth_token which asks the identity service of this process: no network, no cache beside that service's own."""

    def __init__(self, app: Any, conf: cfg.ConfigOpts, identity: LocalIdentity, service_type: str) -> None:
        uri = conf.identity.www_authenticate_uri or conf.endpoints.identity
        super().__init__(app, _settings(conf, service_type, www_authenticate_uri=uri, include_service_catalog="False"))
        self._tokens = identity.tokens

    def _token_cache_factory(self) -> _NoCache:
        return _NoCache()

    def fetch_token(self, token: str, allow_expired: bool = False, **_: Any) -> dict[str, Any]:
        try:
            return self._tokens.validate(token, allow_expired=allow_expired)
        except Unauthorized as error:
            raise InvalidToken(str(error)) from error
        except Unavailable as error:
            raise _away() from error


def _away() -> http.HTTPServiceUnavailable:
    """Answer what clients are told while the identity service does not answer, as Nova words its faults."""
    body = {"serviceUnavailable": {"code": 503, "message": "The identity service is temporarily unavailable."}}
    return http.HTTPServiceUnavailable(body=orjson.dumps(body), content_type="application/json", headers=[("Retry-After", "2")])


class _RemoteAuth(_Auth):
    """The stock auth_token. A Keystone which does not answer is 503, not a 401 which would make clients log in again."""

    def fetch_token(self, token: str, allow_expired: bool = False, **_: Any) -> Any:
        try:
            return super().fetch_token(token, allow_expired=allow_expired)
        except InvalidToken as error:
            if str(error).startswith("Keystone unavailable"):
                raise _away() from error
            raise


class _Context:
    """Turns what auth_token found into a RequestContext."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[CONTEXT_KEY] = context_of(environ)
        return self._app(environ, start_response)  # type: ignore[no-any-return]


def context_of(environ: dict[str, Any]) -> RequestContext:
    """Answer the RequestContext of a request which passed auth_token: from the token itself, not from headers."""
    request_id = environ.get(REQUEST_ID) or new_request_id()
    sent = environ.get(GLOBAL_REQUEST_ID)
    auth = environ.get("keystone.token_auth")
    if auth is None or auth.user is None or environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
        return RequestContext(request_id=request_id, global_request_id=sent)
    user = auth.user
    vouched = auth.service is not None and environ.get("HTTP_X_SERVICE_IDENTITY_STATUS") == "Confirmed"
    roles = expanded(user.role_names)
    return RequestContext(
        user_id=user.user_id, user_name=user.username, user_domain_id=user.user_domain_id, project_id=user.project_id,
        project_name=user.project_name, project_domain_id=user.project_domain_id, domain_id=user.domain_id,
        system_scope="all" if user.system_scoped else None, roles=roles, is_admin="admin" in roles,
        service_roles=tuple(auth.service.role_names) if vouched else (), request_id=request_id, global_request_id=sent,
    )


def expanded(roles: Iterable[str]) -> tuple[str, ...]:
    """Answer the roles and what they imply: admin, manager, member, reader, each the next."""
    found: dict[str, None] = {}
    for role in roles:
        lowered = role.lower()
        found.update(dict.fromkeys((lowered, *_IMPLIED.get(lowered, ()))))
    return tuple(found)
