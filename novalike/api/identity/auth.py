"""Tokens: log in, look at one, revoke it; and what a caller may scope one to."""

from __future__ import annotations

from typing import Any

import orjson
from webob import Response

from novalike.api.http.application import PUBLIC, Request, Route
from novalike.api.identity import schemas, views
from novalike.db import identity as db
from novalike.exception import Invalid, NotFound, Unauthorized
from novalike.identity.local.service import LocalIdentity
from novalike.objects.identity import Domain, Project

_SUBJECT = "X-Subject-Token"


class Auth:
    def __init__(self, identity: LocalIdentity) -> None:
        self.identity = identity

    def routes(self) -> list[Route]:
        tokens = "/v3/auth/tokens"
        return [
            Route(method="POST", path=tokens, handler=self.log_in, rule=PUBLIC, body=schemas.AUTH, status=201),
            Route(method="GET", path=tokens, handler=self.show, rule="identity:validate_token"),
            Route(method="DELETE", path=tokens, handler=self.revoke, rule="identity:revoke_token", status=204),
            Route(method="GET", path="/v3/auth/catalog", handler=self.catalog, rule="identity:get_auth_catalog"),
            Route(method="GET", path="/v3/auth/projects", handler=self.projects, rule="identity:get_auth_projects"),
            Route(method="GET", path="/v3/auth/domains", handler=self.domains, rule="identity:get_auth_domains"),
            Route(method="GET", path="/v3/auth/system", handler=self.system, rule="identity:get_auth_system"),
        ]

    def log_in(self, request: Request) -> Response:
        token, body = self.identity.authentication.log_in(request.body_value["auth"])
        return _answer(request, body, token, status=201)

    def show(self, request: Request) -> Response:
        token = _subject(request)
        late = request.GET.get("allow_expired", "0") not in {"0", "false", "False"}
        body = self._validated(token, allow_expired=late)
        if body["token"]["user"]["id"] != request.context.user_id:
            request.authorize("identity:validate_any_token")
        return _answer(request, body, token)

    def revoke(self, request: Request) -> None:
        token = _subject(request)
        if self._validated(token)["token"]["user"]["id"] != request.context.user_id:
            request.authorize("identity:revoke_any_token")
        self.identity.tokens.revoke(token)

    def catalog(self, request: Request) -> dict[str, Any]:
        token = (request.environ.get("keystone.token_info") or {}).get("token", {})
        return {"catalog": token.get("catalog", []), "links": {"self": views.link(request, "auth", "catalog")}}

    def projects(self, request: Request) -> dict[str, Any]:
        found = self._reachable(request, Project, "project")
        return views.page(request, "projects", [views.project(request, item) for item in found])

    def domains(self, request: Request) -> dict[str, Any]:
        found = self._reachable(request, Domain, "domain")
        return views.page(request, "domains", [views.domain(request, item) for item in found])

    def system(self, request: Request) -> dict[str, Any]:
        reachable = self.identity.read(db.targets_of, request.context.user_id or "", "system")
        return views.page(request, "system", [{"all": True}] if reachable else [])

    def _reachable(self, request: Request, kind: Any, word: str) -> list[Any]:
        ids = self.identity.read(db.targets_of, request.context.user_id or "", word)
        return self.identity.read(db.listing, kind, ids=ids, enabled=True)

    def _validated(self, token: str, *, allow_expired: bool = False) -> dict[str, Any]:
        try:
            return self.identity.tokens.validate(token, allow_expired=allow_expired)
        except Unauthorized as error:
            raise NotFound("Could not find the token: it is unknown, expired or revoked.") from error


def _subject(request: Request) -> str:
    token = request.headers.get(_SUBJECT)
    if not token:
        raise Invalid(f"The header {_SUBJECT} is missing.")
    return str(token).strip()


def _answer(request: Request, body: dict[str, Any], token: str, *, status: int = 200) -> Response:
    if "nocatalog" in request.GET:
        body = {"token": {name: value for name, value in body["token"].items() if name != "catalog"}}
    response = Response(status=status, content_type="application/json", charset=None)
    response.headers[_SUBJECT] = token
    response.body = orjson.dumps(body)
    return response
