"""Application credentials and EC2 access keys, which belong to users."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from novalike.api.http.application import Request, Route
from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.identity import schemas, views
from novalike.db import identity as db
from novalike.exception import Forbidden, Invalid, NotFound
from novalike.identity.local.service import LocalIdentity
from novalike.objects.identity import ApplicationCredential, Ec2Credential, Role, User

K = TypeVar("K", ApplicationCredential, Ec2Credential)


class ApplicationCredentials:
    def __init__(self, identity: LocalIdentity) -> None:
        self.identity = identity

    def routes(self) -> list[Route]:
        path = "/v3/users/{user_id}/application_credentials"
        one = f"{path}/{{id}}"
        rule = "identity:{}_application_credential"
        return [
            Route(method="GET", path=path, handler=self.index, rule="identity:list_application_credentials",
                  query=Query({"name": Parameter(TEXT)})),
            Route(method="POST", path=path, handler=self.create, rule=rule.format("create"), status=201,
                  body=schemas.APPLICATION_CREDENTIAL),
            Route(method="GET", path=one, handler=self.show, rule=rule.format("get")),
            Route(method="DELETE", path=one, handler=self.delete, rule=rule.format("delete"), status=204),
            Route(method="GET", path="/v3/users/{user_id}/access_rules", handler=self.access_rules, rule="identity:list_access_rules"),
            Route(method="GET", path="/v3/users/{user_id}/access_rules/{id}", handler=self.access_rule, rule="identity:get_access_rule"),
            Route(method="DELETE", path="/v3/users/{user_id}/access_rules/{id}", handler=self.delete_access_rule, rule="identity:delete_access_rule",
                  status=204),
        ]

    def access_rules(self, request: Request) -> dict[str, Any]:
        """List the access rules of a user's application credentials. They live as long as a credential has them."""
        return views.page(request, "access_rules", list(self._rules(request).values()))

    def access_rule(self, request: Request) -> dict[str, Any]:
        """Show one."""
        found = self._rules(request).get(request.path_args["id"])
        if found is None:
            raise NotFound(f"Could not find access rule: {request.path_args['id'][:255]}.")
        return {"access_rule": found}

    def delete_access_rule(self, request: Request) -> None:
        """Refuse, for it is in use."""
        self.access_rule(request)
        raise Forbidden(f"Access rule {request.path_args['id']} cannot be deleted: an application credential has it.")

    def _rules(self, request: Request) -> dict[str, dict[str, str]]:
        user_id = _owner(self.identity, request)
        found = self.identity.read(db.listing, ApplicationCredential, user_id=user_id)
        return {rule["id"]: rule for item in found for rule in views.access_rules(item)}

    def index(self, request: Request) -> dict[str, Any]:
        user_id = _owner(self.identity, request)
        found = self.identity.read(db.listing, ApplicationCredential, user_id=user_id, name=request.param("name"))
        return views.page(request, "application_credentials", [self._view(request, item) for item in found])

    def show(self, request: Request) -> dict[str, Any]:
        return {"application_credential": self._view(request, self._find(request))}

    def create(self, request: Request) -> dict[str, Any]:
        user_id = _owner(self.identity, request)
        unrestricted_only(request, "create application credentials")
        project_id = request.context.project_id
        if project_id is None:
            raise Forbidden("An application credential is made for the project to which the token is scoped; this one has none.")
        given = dict(request.body_value["application_credential"])
        given["expires_at"] = self._expiry(given.get("expires_at"))
        made, secret = self.identity.create_application_credential(
            user_id=user_id, project_id=project_id, held=set(request.context.roles), given=given,
        )
        return {"application_credential": self._view(request, made, secret=secret)}

    def delete(self, request: Request) -> None:
        item = self._find(request)
        unrestricted_only(request, "delete application credentials")
        self.identity.write(db.remove, ApplicationCredential, item.id)

    def _expiry(self, text: str | None) -> datetime | None:
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise Invalid(f"Invalid input for field 'expires_at': {text[:64]!r} is not an ISO 8601 time.") from error
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        if moment <= self.identity.clock.now():
            raise Invalid("Invalid input for field 'expires_at': it is in the past.")
        return moment

    def _find(self, request: Request) -> ApplicationCredential:
        return _find(self.identity, request, ApplicationCredential, "application credential")

    def _view(self, request: Request, item: ApplicationCredential, *, secret: str | None = None) -> dict[str, Any]:
        roles = self.identity.read(db.listing, Role, ids=item.roles)
        return views.application_credential(request, item, roles, secret=secret)


class Ec2Credentials:
    def __init__(self, identity: LocalIdentity) -> None:
        self.identity = identity

    def routes(self) -> list[Route]:
        path = "/v3/users/{user_id}/credentials/OS-EC2"
        one = f"{path}/{{id}}"
        return [
            Route(method="GET", path=path, handler=self.index, rule="identity:ec2_list_credentials"),
            Route(method="POST", path=path, handler=self.create, rule="identity:ec2_create_credential", status=201,
                  body=schemas.EC2_CREDENTIAL),
            Route(method="GET", path=one, handler=self.show, rule="identity:ec2_get_credential"),
            Route(method="DELETE", path=one, handler=self.delete, rule="identity:ec2_delete_credential", status=204),
        ]

    def index(self, request: Request) -> dict[str, Any]:
        found = self.identity.read(db.listing, Ec2Credential, user_id=_owner(self.identity, request))
        return views.page(request, "credentials", [self._view(request, item) for item in found])

    def create(self, request: Request) -> dict[str, Any]:
        user_id = _owner(self.identity, request)
        unrestricted_only(request, "create EC2 credentials")
        made = self.identity.create_ec2_credential(user_id, request.body_value["tenant_id"])
        return {"credential": self._view(request, made)}

    def show(self, request: Request) -> dict[str, Any]:
        return {"credential": self._view(request, self._find(request))}

    def delete(self, request: Request) -> None:
        self.identity.write(db.remove, Ec2Credential, self._find(request).access)

    def _find(self, request: Request) -> Ec2Credential:
        return _find(self.identity, request, Ec2Credential, "credential")

    def _view(self, request: Request, item: Ec2Credential) -> dict[str, Any]:
        return views.ec2_credential(request, item, self.identity.ec2_secret(item))


def unrestricted_only(request: Request, what: str) -> None:
    """Raise Forbidden for a token of a restricted application credential, which must not make itself others."""
    token = (request.environ.get("keystone.token_info") or {}).get("token", {})
    if token.get("application_credential", {}).get("restricted"):
        raise Forbidden(f"Using method 'application_credential' is not allowed to {what}.")


def _owner(identity: LocalIdentity, request: Request) -> str:
    """Answer the id of the path's user, whom the caller may ask about."""
    user_id = request.path_args["user_id"]
    request.authorize(request.route.rule, {"user_id": user_id})
    return identity.read(db.get, User, user_id).id


def _find(identity: LocalIdentity, request: Request, kind: type[K], what: str) -> K:
    """Answer the path's thing, if it is the path's user's."""
    user_id = _owner(identity, request)
    item = identity.read(db.find, kind, request.path_args["id"])
    if item is None or item.user_id != user_id:
        raise NotFound(f"Could not find {what}: {request.path_args['id'][:255]}.")
    return item
