"""/os-keypairs: public keys which a user's new servers accept."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack import paging
from novalike.api.openstack.schemas import keypairs as schemas
from novalike.api.openstack.views import keypairs as views
from novalike.api.operations import keypairs as operations
from novalike.api.operations import quotas as quota_defaults
from novalike.api.operations import resource_notices
from novalike.api.services import ApiServices
from novalike.db import keypairs, quotas
from novalike.exception import Invalid, OverQuota
from novalike.objects.quota import UNLIMITED

_RULE = "os_compute_api:os-keypairs"
#: From here on the list is cut into pages.
_PAGED = (2, 35)


class _Keypairs:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._database = services.cells.shared
        self._clock = services.clock
        self._identity = services.identity
        self._max_limit = services.conf.api.max_limit
        self._defaults = quota_defaults.defaults(services.conf.quota)

    def index(self, request: Request) -> dict[str, Any]:
        user_id, limit = self._user(request, "index", request.param("user_id")), None
        if request.version >= _PAGED:
            limit = paging.limit(request, self._max_limit)
        with self._database.read() as session:
            found = keypairs.list_page(session, user_id, limit=limit, marker=request.param("marker"))
        answer: dict[str, Any] = {"keypairs": [views.listed(request.version, keypair) for keypair in found]}
        if limit is not None:
            paging.add_next(request, answer, "keypairs", found, limit, found[-1].name if found else None)
        return answer

    def show(self, request: Request) -> dict[str, Any]:
        user_id = self._user(request, "show", request.param("user_id"))
        with self._database.read() as session:
            return views.full(request.version, keypairs.get(session, user_id, request.path_args["id"]))

    def create(self, request: Request) -> dict[str, Any]:
        wanted = request.body_value["keypair"]
        user_id = self._user(request, "create", wanted.get("user_id"))
        if user_id != request.context.user_id and not self._identity.user_exists(user_id):
            raise Invalid(f"Invalid input for field/attribute user_id. Value: {user_id}. There is no such user.")
        kind, name, private_key = wanted.get("type", "ssh"), wanted["name"], None
        limit = self._limit(request, user_id)
        if "public_key" in wanted:
            keypair = operations.imported(user_id, name, kind, wanted["public_key"])
        else:
            keypair, private_key = operations.generated(user_id, name, kind, now=self._clock.now())
        stored = self._database.write(keypairs.create, keypair, limit=limit, now=self._clock.now())
        resource_notices.keypair(self._services, request.context, "create" if private_key is not None else "import", stored)
        return views.created(request.version, stored, private_key)

    def _limit(self, request: Request, user_id: str) -> int:
        with self._database.read() as session:
            limit = quotas.limits(session, request.context.project_id or "", user_id, self._defaults)["key_pairs"]
            # Looked at before a key is generated, which costs much; counted again, exactly, when it is stored.
            if limit != UNLIMITED and quotas.count_keypairs(session, user_id) >= limit:
                raise OverQuota("Quota exceeded, too many key pairs.", overs=("key_pairs",))
        return limit

    def delete(self, request: Request) -> None:
        user_id = self._user(request, "delete", request.param("user_id"))
        seen = None
        if self._services.notifier.enabled:
            seen = self._database.fetch(keypairs.get, user_id, request.path_args["id"])
        self._database.write(keypairs.delete, user_id, request.path_args["id"])
        if seen is not None:
            resource_notices.keypair(self._services, request.context, "delete", seen)

    @staticmethod
    def _user(request: Request, action: str, wanted: str | None) -> str:
        """Answer whose key pairs are meant. Raises Forbidden for another user's, unless the policy lets the caller."""
        user_id = wanted or str(request.context.user_id)
        request.authorize(f"{_RULE}:{action}", {"user_id": user_id, "project_id": request.context.project_id})
        return user_id


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of key pairs."""
    of = _Keypairs(services)
    create: dict[str, Any] = {
        "method": "POST", "path": "/os-keypairs", "handler": of.create, "rule": f"{_RULE}:create", "body": schemas.CREATE,
    }
    delete: dict[str, Any] = {
        "method": "DELETE", "path": "/os-keypairs/{id}", "handler": of.delete, "rule": f"{_RULE}:delete", "query": schemas.ONE_QUERY,
    }
    return (
        Route(method="GET", path="/os-keypairs", handler=of.index, rule=f"{_RULE}:index", query=schemas.LIST_QUERY),
        Route(**create, status=200, until="2.1"),
        Route(**create, status=201, since="2.2"),
        Route(method="GET", path="/os-keypairs/{id}", handler=of.show, rule=f"{_RULE}:show", query=schemas.ONE_QUERY),
        Route(**delete, status=202, until="2.1"),
        Route(**delete, status=204, since="2.2"),
    )
